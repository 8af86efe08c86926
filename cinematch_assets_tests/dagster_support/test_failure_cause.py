"""A failed step leaves its cause on its run, also in a run of some assets of a job."""

from collections.abc import Iterator

import dagster as dg
import psycopg.errors
import pytest

from cinematch_assets.dagster_support.failure_cause import MAX_MESSAGE_LENGTH, NEXT_STEP, record_cause, with_next_step
from cinematch_assets.dagster_support.runs import CAUSE_TAG
from cinematch_assets.errors import CinematchError, SurroundingsError

SECRET = "postgresql://owner:hunter2@db"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tags_of(instance: dg.DagsterInstance, error: BaseException, selection: list[str] | None = None) -> dict[str, str]:
    @dg.asset
    def before() -> None:
        pass

    @dg.asset(deps=[before])
    def table() -> None:
        raise error

    definitions = dg.Definitions(
        assets=[before, table],
        jobs=[dg.define_asset_job("job", hooks={record_cause})],
        executor=dg.in_process_executor,
    )
    result = definitions.resolve_job_def("job").execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(name) for name in selection] if selection else None,
    )
    assert not result.success
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return {name.removeprefix(CAUSE_TAG): value for name, value in run.tags.items() if name.startswith(CAUSE_TAG)}


@pytest.mark.parametrize("selection", [None, ["table"]])
def test_the_cause_is_a_tag_of_the_run(instance: dg.DagsterInstance, selection: list[str] | None) -> None:
    assert tags_of(instance, CinematchError("a.csv: no column rating"), selection) == {
        "table": "content: a.csv: no column rating"
    }


def test_a_fault_of_the_surroundings_is_one(instance: dg.DagsterInstance) -> None:
    assert tags_of(instance, SurroundingsError("the disk is full")) == {"table": "surroundings: the disk is full"}
    read_only = psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction")
    (value,) = tags_of(instance, read_only).values()
    assert value.startswith(
        "surroundings: the database: cannot execute INSERT in a read-only transaction (the database is read-only"
    )


def test_the_text_of_a_bug_stays_in_the_log(instance: dg.DagsterInstance) -> None:
    assert tags_of(instance, TypeError(SECRET)) == {"table": "bug: TypeError: see the run's log"}


def test_a_failure_of_dagster_s_own_kind_counts_by_what_it_was_raised_from(instance: dg.DagsterInstance) -> None:
    failure = dg.Failure("batch_w1: the disk is full")
    failure.__cause__ = SurroundingsError("the disk is full")
    assert tags_of(instance, failure) == {"table": "surroundings: batch_w1: the disk is full"}


def test_a_long_message_is_cut(instance: dg.DagsterInstance) -> None:
    (value,) = tags_of(instance, CinematchError("x" * 5_000)).values()
    assert len(value) <= MAX_MESSAGE_LENGTH + len("content: ")


def test_a_content_that_is_refused_says_what_to_do_and_other_faults_are_as_they_were() -> None:
    with pytest.raises(dg.Failure) as refused, with_next_step(lambda: "correct it"):
        raise CinematchError("ratings.csv: 7 rows do not fit")
    assert refused.value.description == f"ratings.csv: 7 rows do not fit{NEXT_STEP}correct it"
    assert refused.value.allow_retries is False
    with pytest.raises(SurroundingsError, match="disk"), with_next_step(lambda: "correct it"):
        raise SurroundingsError("the disk is full")
