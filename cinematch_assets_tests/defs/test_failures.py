"""A step that fails says why in words, in a run of a job and in one started by hand, and the page is written."""

import dagster as dg
import pytest

from cinematch_assets.dagster_support.runs import CAUSE_TAG
from cinematch_assets.pipeline.monitoring.publish_page import KEY
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import repository, run_job
from cinematch_assets_tests.support.platforms import drop_history


def test_every_asset_has_the_hooks_that_jobs_and_runs_by_hand_need() -> None:
    for asset in repository().assets_defs_by_key.values():
        assert {hook.name for hook in asset.hook_defs} == {"record_cause", "publish_page_after_failure"}, asset.key


@pytest.mark.parametrize("job", ["load_catalog", "__ASSET_JOB"])
def test_a_database_that_is_read_only(platform: Platform, instance: dg.DagsterInstance, job: str) -> None:
    drop_history(platform)
    with platform.warehouse.connect() as connection:
        database = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on'.encode())
    result = run_job(job, platform, instance, asset_selection=[dg.AssetKey("raw_movies")])
    assert not result.success
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    cause = run.tags[f"{CAUSE_TAG}raw_movies"]
    assert cause.startswith("surroundings: ")
    assert "cannot execute INSERT in a read-only transaction (the database is read-only" in cause
    assert f"raw_movies: {cause}" in [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert platform.store.exists(KEY)
