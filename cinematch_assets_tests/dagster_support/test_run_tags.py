"""Runs are found by batch, cause and model version, whatever launched them."""

import dagster as dg
import pytest

from cinematch_assets.dagster_support.run_tags import (
    ATTEMPT,
    BATCH,
    BY,
    CANDIDATE,
    CAUSE,
    CHAMPION,
    complete_tags,
    missing_tags,
    sensor_tags,
)
from cinematch_assets_tests.support.definitions import repository

RANGE = {"dagster/asset_partition_range_start": "batch_w1", "dagster/asset_partition_range_end": "batch_w3"}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, {"cause": "by hand"}),
        ({"cause": "new file", "batch": "batch_w1", "dagster/partition": "batch_w1"}, {}),
        ({"dagster/partition": "batch_w1", "dagster/backfill": "x"}, {"cause": "backfill", "batch": "batch_w1"}),
        (RANGE, {"cause": "by hand", "batch": "batch_w1...batch_w3"}),
        ({"cause": "new file", "batch": "batch_w1", "dagster/parent_run_id": "x"}, {"cause": "re-execution"}),
        ({"cause": "schedule", "dagster/schedule_name": "weekly_maintenance"}, {}),
    ],
)
def test_what_a_launcher_left_out_follows_from_dagsters_tags(tags: dict[str, str], expected: dict[str, str]) -> None:
    assert missing_tags(tags) == expected


def test_a_second_run_for_the_same_content_says_so() -> None:
    assert sensor_tags("batch", number=2, batches="batch_w1") == {
        "cause": "new file",
        "batch": "batch_w1",
        "attempt": "2",
    }


def test_a_run_is_found_by_them_and_completed_once(instance: dg.DagsterInstance) -> None:
    run = instance.add_run(dg.DagsterRun("ingest_batch", tags={"dagster/partition": "batch_w1"}))
    complete_tags(instance, run)
    (found,) = instance.get_runs(dg.RunsFilter(tags={"batch": "batch_w1", "cause": "by hand"}))
    assert found.run_id == run.run_id
    assert missing_tags(found.tags) == {}


def test_short_tags_come_before_the_sensors_own(instance: dg.DagsterInstance) -> None:
    """Dagster sorts them: this pins that it does, and by what."""
    names = ("cinematch/data", CHAMPION, CAUSE, BY, "cinematch/batch-batch_w1", CANDIDATE, BATCH, ATTEMPT)
    run = instance.add_run(dg.DagsterRun("retrain", tags=dict.fromkeys(names, "x")))
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert list(stored.tags)[-2:] == ["cinematch/batch-batch_w1", "cinematch/data"]


def test_each_job_and_schedule_names_a_cause() -> None:
    for name in ("load_catalog", "ingest_batch", "retrain", "maintain"):
        assert repository().get_job(name).run_tags["cause"] == "by hand", name
    schedule = repository().get_schedule_def("weekly_maintenance")
    with dg.DagsterInstance.ephemeral() as instance:
        request = schedule.evaluate_tick(dg.build_schedule_context(instance)).run_requests
    assert request is not None
    assert request[0].tags["cause"] == "schedule"
