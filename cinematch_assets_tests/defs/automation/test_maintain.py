"""The maintenance as a job: whether the storage budget holds is a check, what it did is on its page."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import make_platform


@pytest.mark.parametrize(("budget_mb", "holds"), [("512", True), ("1", False)])
def test_the_job_warns_when_the_storage_budget_is_used_up(
    tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance, budget_mb: str, holds: bool
) -> None:
    platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_STORAGE_BUDGET_MB=budget_mb)
    result = run_job("maintain", platform, instance)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == ("storage_budget", holds, dg.AssetCheckSeverity.WARN)
    (output,) = (event for event in result.all_events if event.is_successful_output)
    metadata = output.step_output_data.metadata
    assert (metadata["archived_alerts"].value, metadata["deleted_objects"].value) == (0, 0)
    assert "| public.ratings |" in metadata["sizes"].value
