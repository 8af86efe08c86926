"""What holds for the whole repository: style, types, the one-way rule, pins, and nothing of one machine in it."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from cinematch_assets.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command", ["ruff check --output-format concise", "ruff format --check", "mypy", "lint-imports"]
)
def test_the_tool_has_nothing_to_say(command: str) -> None:
    program, *arguments = command.split()
    answer = subprocess.run([PROGRAMS / program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"{command}\n{answer.stdout[-6000:]}{answer.stderr[-2000:]}"


def committed() -> list[Path]:
    """Every text file that a clone would hold."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        pytest.skip(f"no git checkout: {answer.stderr.strip()}")
    files = [ROOT / name for name in answer.stdout.split("\0") if name]
    return [file for file in files if file.is_file() and file.suffix not in {".png", ".parquet", ".npz"}]


_REGISTRIES = ("py" + "pi.org", "python" + "hosted", "conda." + "anaconda", "npm" + "js.org", "--" + "index-url")
_HOMES = re.compile(r"(?<![\w.~}/])/(?:home|Users|root)/[a-z.]\w*/")


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    places = [f"{place}/" for place in ROOT.parent.iterdir()] if ROOT.parent != Path("/") else []
    for file in committed():
        text = file.read_text(encoding="utf-8", errors="replace")
        found = [word for word in (*_REGISTRIES, *places) if word in text]
        found += [match.group() for match in _HOMES.finditer(text)]
        assert found == [], file


def pins(name: str) -> dict[str, Version]:
    """Package → version of ``requirements/<name>.txt``; a package pinned by Python version counts once."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    found = (re.match(r"([a-z0-9-]+)(?:\[.*])?==([^ ;\\]+)", line) for line in lines)
    return {match[1]: Version(match[2]) for match in found if match}


def test_each_pin_has_a_hash() -> None:
    for name in ("runtime", "aws", "spark", "mlflow", "docs", "test"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
        assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_pins_are_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {
        "runtime": project["dependencies"] + extras["build"],
        "aws": extras["aws"],
        "spark": extras["spark"],
        "mlflow": project["dependencies"] + extras["build"] + extras["mlflow"],
        "docs": project["dependencies"] + extras["build"] + extras["docs"],
        "test": project["dependencies"] + extras["docs"] + extras["test"],
    }
    for name, wanted in asked.items():
        pinned = pins(name)
        for requirement in map(Requirement, wanted):
            package = re.sub(r"[-_.]+", "-", requirement.name).lower()
            assert pinned[package] in requirement.specifier, f"requirements/{name}.txt: {package}"


def test_what_runs_is_what_is_tested() -> None:
    runtime, test = pins("runtime") | pins("aws") | pins("mlflow") | pins("docs"), pins("test")
    assert {package: test.get(package) for package in runtime} == runtime


def test_what_aws_needs_in_turn_is_pinned_for_every_machine() -> None:
    for package in pins("aws"):
        needed = map(Requirement, requires(package) or ())
        names = {re.sub(r"[-_.]+", "-", each.name).lower() for each in needed if each.marker is None}
        assert names - pins("runtime").keys() == set(), package


def test_the_example_environment_lists_each_variable() -> None:
    listed = re.findall(r"^#?\s?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    ours = {field.alias for field in Settings.model_fields.values()}
    assert ours - set(listed) == set()
    assert {name for name in listed if not name.startswith("AWS_")} - ours == set()
    assert len(listed) == len(set(listed))
