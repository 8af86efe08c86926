from typing import Any

import dagster as dg
import pytest

from cinematch_assets.dagster_support.run_actor import launched_by, run_actor


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, "hand"),
        ({"dagster/sensor_name": "retraining_sensor", "user": "x"}, "sensor retraining_sensor"),
        ({"dagster/schedule_name": "weekly_maintenance"}, "schedule weekly_maintenance"),
        ({"dagster/backfill": "abc", "dagster/partition": "batch_w1"}, "backfill abc"),
        ({"dagster/parent_run_id": "0123"}, "re-execution of run 0123"),
    ],
)
def test_the_tags_say_what_launched_a_run(tags: dict[str, str], expected: str) -> None:
    assert launched_by(tags) == expected


def test_dagster_sets_these_tags() -> None:
    @dg.job
    def nothing() -> None:
        pass

    @dg.sensor(job=nothing)
    def ask(_context: Any) -> dg.RunRequest:
        return dg.RunRequest("a")

    schedule = dg.ScheduleDefinition(name="weekly", job=nothing, cron_schedule="0 0 * * 0")
    assert launched_by(dg.DagsterRun.tags_for_sensor(ask)) == "sensor ask"
    assert launched_by(dg.DagsterRun.tags_for_schedule(schedule)) == "schedule weekly"
    assert launched_by(dg.DagsterRun.tags_for_backfill_id("abc")) == "backfill abc"


def test_the_actor_is_the_user_and_the_run() -> None:
    actor = run_actor(dg.DagsterRun(job_name="retrain", run_id="0123456789"), "ada")
    assert (actor.name, actor.run_id, actor.launched_by) == ("ada", "0123456789", "hand")
