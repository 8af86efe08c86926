"""``cinematch doctor`` as a person and a program call it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cinematch_assets.cli.main import app
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.servers import Postgres

SUBJECTS = [
    "settings",
    "python",
    "versions",
    "port",
    "disk",
    "database",
    "schema",
    "size",
    "dagster",
    "files",
    "store",
    "trainer",
    "channels",
]


@pytest.fixture
def deployment(platform: Platform, postgres18: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with postgres18.database() as dagster_url:
        monkeypatch.setenv("CINEMATCH_HOME", str(platform.settings.home))
        monkeypatch.setenv("CINEMATCH_DATABASE_URL", platform.warehouse.url)
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", dagster_url)
        yield


@pytest.mark.usefixtures("deployment")
def test_each_requirement_is_a_line_and_json_says_the_same() -> None:
    shown = CliRunner().invoke(app, ["doctor"], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert [line.split()[1] for line in lines] == SUBJECTS
    assert {line.split()[0] for line in lines} <= {"ok", "warn"}
    findings = json.loads(CliRunner().invoke(app, ["doctor", "--json"], catch_exceptions=False).output)
    assert [finding["subject"] for finding in findings] == SUBJECTS


@pytest.mark.usefixtures("deployment")
def test_what_fails_ends_with_1_and_stops_no_other_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", "postgresql://someone:hidden@127.0.0.1:1/nowhere")
    monkeypatch.setenv("CINEMATCH_DRIVE", "/nowhere/at/all")
    (tmp_path / "file").touch()
    monkeypatch.setenv("CINEMATCH_STORE", str(tmp_path / "file" / "store"))
    shown = CliRunner().invoke(app, ["doctor"], catch_exceptions=False)
    assert shown.exit_code == 1
    failed = {line.split()[1] for line in shown.output.splitlines() if line.startswith("fail")}
    assert failed == {"database", "dagster", "folder", "store"}
    assert "127.0.0.1:1/nowhere" in shown.output
    assert "hidden" not in shown.output
    assert "ok   disk" in shown.output


def test_a_setting_that_cannot_be_used_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_SEED", "many")
    shown = CliRunner().invoke(app, ["doctor", "--json"], catch_exceptions=False)
    (finding,) = json.loads(shown.output)
    assert (shown.exit_code, finding["subject"], finding["status"]) == (1, "settings", "failed")
    assert "CINEMATCH_SEED" in finding["message"]
