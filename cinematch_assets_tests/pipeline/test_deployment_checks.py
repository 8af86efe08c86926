import shutil
import socket
from types import SimpleNamespace

import pytest

from cinematch_assets.drive.diagnose import Finding
from cinematch_assets.pipeline import deployment_checks
from cinematch_assets.pipeline.deployment_checks import (
    check_channels,
    check_dagster,
    check_database,
    check_disk,
    check_folder,
    check_mlflow,
    check_port,
    check_python,
    check_store,
    check_versions,
)
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import InvalidSettingError, Settings
from cinematch_assets_tests.support.servers import Postgres


@pytest.mark.parametrize(("required", "status"), [(None, "ok"), (">=3.11", "ok"), (">=4.0", "failed")])
def test_the_interpreter_is_compared_with_the_required_one(required: str | None, status: str) -> None:
    assert [finding.status for finding in check_python(required)] == [status]


@pytest.mark.parametrize(
    ("requirements", "status", "message"),
    [
        (["dagster==1.13.27", "numpy", "scipy>=1; extra == 'build'"], "ok", "dagster 1.13.27"),
        (["psycopg[binary] == 3.3.*"], "ok", ""),
        (["dagster==1.13.2"], "failed", "dagster is 1.13.27 and has to be 1.13.2"),
        (["psycopg[binary]==3.*", "psycopg==3.33.*"], "failed", "has to be 3.33.*"),
        (["no-such-distribution>=2"], "failed", "no-such-distribution is not installed"),
    ],
)
def test_what_is_installed_is_compared_with_the_pins(requirements: list[str], status: str, message: str) -> None:
    (finding,) = check_versions(requirements)
    assert finding.status == status
    assert message in finding.message


def test_the_installed_versions_are_the_pinned_ones() -> None:
    assert [finding.status for finding in check_versions()] == ["ok"]


def test_a_taken_port_is_a_warning_that_names_the_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (finding,) = check_port(port)
        assert finding.status == "warning"
        assert "--port" in finding.message
    assert [finding.status for finding in check_port(port)] == ["ok"]


@pytest.mark.parametrize(("free_mb", "status"), [(400, "failed"), (1_500, "warning"), (3_000, "ok")])
def test_little_space_is_said_before_it_is_used_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, free_mb: int, status: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mb * 1_000_000))
    assert [finding.status for finding in check_disk(platform.settings)] == [status]


def test_a_database_without_the_schema_names_the_command(empty_database_url: str, platform: Platform) -> None:
    settings = settings_of(platform, CINEMATCH_DATABASE_URL=empty_database_url)
    found = by_subject(check_database(settings))
    assert found["database"].status == "ok"
    assert found["schema"].status == "failed"
    assert "0001.cinematch-tables" in found["schema"].message
    assert found["schema"].message.endswith("run cinematch migrate")


def test_a_version_that_is_not_supported_fails_or_warns(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for supported, status in ((range(19, 21), "failed"), (range(15, 18), "warning"), (range(15, 19), "ok")):
        monkeypatch.setattr(deployment_checks, "POSTGRES_VERSIONS", supported)
        assert by_subject(check_database(platform.settings))["database"].status == status


def test_a_database_near_its_budget_is_a_warning(platform: Platform) -> None:
    settings = settings_of(platform, CINEMATCH_STORAGE_BUDGET_MB="8")
    assert by_subject(check_database(settings))["size"].status == "warning"


def test_one_database_under_two_names_is_refused(platform: Platform, postgres18: Postgres) -> None:
    with postgres18.database() as other:
        (finding,) = check_dagster(settings_of(platform, DAGSTER_POSTGRES_URL=other))
        assert finding.status == "ok"
    same = f"{platform.warehouse.url}&application_name=other"
    with pytest.raises(InvalidSettingError, match="name one database"):
        list(check_dagster(platform.settings.model_copy(update={"dagster_postgres_url": same})))


def test_the_embedded_folder_is_made_and_another_has_to_exist(platform: Platform) -> None:
    shutil.rmtree(platform.settings.home / "drive")
    assert [finding.status for finding in check_folder(platform.settings)] == ["ok"]
    assert [f.status for f in check_folder(settings_of(platform, CINEMATCH_DRIVE="/nowhere/at/all"))] == ["failed"]


def test_a_store_is_written_read_and_left_as_it_was(platform: Platform) -> None:
    assert [finding.status for finding in check_store(platform.settings)] == ["ok"]
    assert list(platform.store.keys()) == []


@pytest.mark.parametrize(
    ("urls", "statuses"),
    [("", ["warning"]), ("json://127.0.0.1:9/", ["ok"]), ("nothing://x json://h/", ["failed", "ok"])],
)
def test_channels_are_read_and_a_wrong_one_fails(platform: Platform, urls: str, statuses: list[str]) -> None:
    assert [finding.status for finding in check_channels(settings_of(platform, CINEMATCH_NOTIFY=urls))] == statuses


@pytest.mark.parametrize(
    ("uri", "statuses"),
    [("", []), ("http://user:s3cr3t@127.0.0.1:1", ["warning"]), ("databricks://s3cr3t", ["failed"])],
)
def test_an_mlflow_server_that_is_down_is_a_warning_because_nothing_waits_for_it(
    platform: Platform, uri: str, statuses: list[str]
) -> None:
    findings = list(
        deployment_checks._findings("mlflow", lambda: check_mlflow(settings_of(platform, MLFLOW_TRACKING_URI=uri)))
    )
    assert [finding.status for finding in findings] == statuses
    assert "s3cr3t" not in str(findings)


def settings_of(platform: Platform, **changed: str) -> Settings:
    known = {"CINEMATCH_HOME": str(platform.settings.home), "CINEMATCH_DATABASE_URL": platform.warehouse.url}
    return Settings.from_env(known | changed)


def by_subject(findings: object) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}  # type: ignore[attr-defined]
