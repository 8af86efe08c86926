"""The maintenance as a job: whether the storage budget holds is a check, what it did is on its page."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import make_platform, rows_of


@pytest.mark.parametrize(("budget_mb", "holds"), [("512", True), ("1", False)])
def test_the_job_warns_when_the_storage_budget_is_used_up(
    tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance, budget_mb: str, holds: bool
) -> None:
    platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_STORAGE_BUDGET_MB=budget_mb)
    result = run_job("maintain", platform, instance)
    checks = {(c.asset_key.to_user_string(), c.check_name): c for c in result.get_asset_check_evaluations()}
    check = checks["ratings", "storage_budget"]
    assert (check.passed, check.severity) == (holds, dg.AssetCheckSeverity.WARN)
    assert ("movies", "pandera_schema") in checks
    assert result.success
    (output,) = (e for e in result.all_events if e.is_successful_output and e.step_key == "tidy_up")
    metadata = output.step_output_data.metadata
    assert (metadata["archived_alerts"].value, metadata["deleted_objects"].value) == (0, 0)
    assert "| public.ratings |" in metadata["sizes"].value


def test_a_bad_row_in_a_table_fails_the_maintenance(
    tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance
) -> None:
    platform = make_platform(tmp_path / "home", database_url_18)
    with platform.warehouse.connect() as connection:
        connection.execute("INSERT INTO ratings VALUES (1, 1, 3.3, 1, 'train')")
    result = run_job("maintain", platform, instance)
    assert not result.success
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert "pandera_schema" in failed


def test_a_dry_run_changes_nothing(tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance) -> None:
    platform = make_platform(tmp_path / "home", database_url_18)
    with platform.warehouse.connect() as connection:
        connection.execute("INSERT INTO drift_alerts (alert_date) VALUES (now() - interval '3 days')")
    options = {"ops": {"tidy_up": {"config": {"dry_run": True, "keep_days": 2}}}}
    result = run_job("maintain", platform, instance, config=options)
    (output,) = (e for e in result.all_events if e.is_successful_output and e.step_key == "tidy_up")
    assert output.step_output_data.metadata["archived_alerts"].value == 1
    assert rows_of(platform, "SELECT count(*) FROM drift_alerts") == [(1,)]
    options["ops"]["tidy_up"]["config"]["dry_run"] = False
    assert run_job("maintain", platform, instance, config=options).success
    assert rows_of(platform, "SELECT count(*) FROM drift_alerts") == [(0,)]
