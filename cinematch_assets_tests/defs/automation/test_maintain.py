"""The weekly round as a job: it says what it did and whether the budget holds."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import a_platform


@pytest.mark.parametrize(("budget_mb", "holds"), [("512", True), ("1", False)])
def test_the_round_warns_when_the_budget_runs_out(
    tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance, budget_mb: str, holds: bool
) -> None:
    platform = a_platform(tmp_path / "home", database_url_18, CINEMATCH_STORAGE_BUDGET_MB=budget_mb)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Platform, "open", lambda: platform)
        result = repository().get_job("maintain").execute_in_process(instance=instance)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == ("storage_budget", holds, dg.AssetCheckSeverity.WARN)
