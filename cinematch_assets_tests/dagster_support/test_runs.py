from collections.abc import Iterator

import dagster as dg
import pytest

from cinematch_assets.dagster_support.runs import is_under_way, runs_with_tag


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def add_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, value: str = "a") -> None:
    instance.add_run(dg.DagsterRun("retrain", status=status, tags={"content": value}))


def test_runs_with_a_tag_are_counted_when_they_have_ended(instance: dg.DagsterInstance) -> None:
    assert runs_with_tag(instance, "content", "a") == (0, False)
    for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED):
        add_run(instance, status)
    add_run(instance, dg.DagsterRunStatus.FAILURE, "b")
    assert runs_with_tag(instance, "content", "a") == (3, False)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_a_run_that_has_not_ended_is_under_way(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> None:
    assert not is_under_way(instance, "retrain")
    add_run(instance, status)
    assert runs_with_tag(instance, "content", "a") == (0, True)
    assert is_under_way(instance, "retrain")
    assert not is_under_way(instance, "ingest_batch")
