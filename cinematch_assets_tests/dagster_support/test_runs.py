"""What earlier runs say about a piece of work: how many ended, whether one has not, why they failed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from cinematch_assets.attempts import Work
from cinematch_assets.dagster_support.runs import CAUSE_TAG, DATA_TAG, RELEASE_TAG, read_runs, runs_under_way
from cinematch_assets.faults import Cause

BATCH = Work("batch", "batch_w1", "a", ("raw_ratings_batch", "ratings_buffer"))
FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def add_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, content: str = "a", **tags: str) -> None:
    name, _ = BATCH.tag
    named = {
        {"data": DATA_TAG, "release": RELEASE_TAG}.get(key, f"{CAUSE_TAG}{key}"): value for key, value in tags.items()
    }
    instance.add_run(dg.DagsterRun("ingest_batch", status=status, tags={name: content, **named}))


def causes(instance: dg.DagsterInstance, data: str = "") -> list[tuple[Cause, str]]:
    return [(failure.cause, failure.message) for failure in read_runs(instance, BATCH, data=data).failures]


def test_runs_for_one_content_are_counted_when_they_have_ended(instance: dg.DagsterInstance) -> None:
    assert read_runs(instance, BATCH).ended == 0
    for status in (FAILURE, SUCCESS, dg.DagsterRunStatus.CANCELED):
        add_run(instance, status)
    add_run(instance, FAILURE, "b")
    runs = read_runs(instance, BATCH)
    assert (runs.ended, runs.running) == (3, False)
    assert all(abs((datetime.now(UTC) - failure.ended_at).total_seconds()) < 60 for failure in runs.failures)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_a_run_that_has_not_ended_is_under_way(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    assert not runs_under_way(instance, "ingest_batch")
    add_run(instance, status)
    assert read_runs(instance, BATCH).running
    assert runs_under_way(instance, "ingest_batch")
    assert runs_under_way(instance, tags=dict([BATCH.tag]))
    assert not runs_under_way(instance, "retrain")


def test_a_run_that_died_without_a_word_is_a_fault_of_the_surroundings(instance: dg.DagsterInstance) -> None:
    add_run(instance, FAILURE)
    add_run(instance, dg.DagsterRunStatus.CANCELED)
    assert causes(instance) == [(Cause.SURROUNDINGS, "the run was interrupted")] * 2


def test_only_the_work_s_own_steps_count(instance: dg.DagsterInstance) -> None:
    add_run(instance, FAILURE, drift_report="content: no evidence")
    add_run(instance, FAILURE, ratings_buffer="content: batch_w1.csv: no column rating", drift_report="bug: TypeError")
    assert causes(instance) == [
        (Cause.SURROUNDINGS, "the run was interrupted"),
        (Cause.CONTENT, "batch_w1.csv: no column rating"),
    ]


def test_bugs_of_another_release_do_not_count(instance: dg.DagsterInstance) -> None:
    add_run(instance, FAILURE, ratings_buffer="bug: TypeError", release="0.0.1")
    add_run(instance, FAILURE, ratings_buffer="bug: TypeError")
    assert [cause for cause, _ in causes(instance)] == [Cause.SURROUNDINGS, Cause.BUG]


def test_a_fault_of_other_data_does_not_count(instance: dg.DagsterInstance) -> None:
    add_run(instance, FAILURE, ratings_buffer="content: too few ratings", data="few")
    assert causes(instance, data="few") == [(Cause.CONTENT, "too few ratings")]
    assert causes(instance, data="many") == [(Cause.SURROUNDINGS, "too few ratings")]


def test_a_content_that_came_back_after_a_success_is_tried_again_but_not_without_pause(
    instance: dg.DagsterInstance,
) -> None:
    add_run(instance, FAILURE, ratings_buffer="content: the catalogue was empty")
    add_run(instance, SUCCESS)
    assert [cause for cause, _ in causes(instance)] == [Cause.SURROUNDINGS, Cause.SURROUNDINGS]
