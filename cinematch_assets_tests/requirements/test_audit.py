"""What pip-audit reports, as an exit code: what it could not look up is never called clean."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "requirements" / "audit.py"
SAFE = {"name": "rich", "version": "14.0", "vulns": []}
BAD = {"name": "jinja2", "version": "3.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1"], "aliases": []}]}
SKIPPED = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited: click (8.5)"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SAFE], 0, "no vulnerability is known in 1 packages"),
        ([SAFE, BAD], 1, "jinja2 3.0: PYSEC-1, mended in 3.1"),
        ([SAFE, BAD, SKIPPED], 1, "jinja2 3.0: PYSEC-1, mended in 3.1"),
        ([SAFE, SKIPPED], 2, "1 of 2 packages could not be looked up, such as click"),
        ([], 2, "0 of 0 packages could not be looked up"),
    ],
)
def test_a_report_becomes_a_code(audit: ModuleType, packages: list[dict[str, Any]], code: int, said: str) -> None:
    found, lines = audit.judge({"dependencies": packages, "fixes": []})
    assert found == code
    assert lines[0].startswith(said)


def test_each_file_of_pins_is_audited(audit: ModuleType) -> None:
    assert {"requirements/runtime.txt", "requirements/test.txt", "requirements/aws.txt"} <= set(audit.PINS)
