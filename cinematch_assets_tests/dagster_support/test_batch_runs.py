"""The loop over a run's batches, without a database; ``defs/test_backfill`` runs it with one."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from cinematch_assets.dagster_support.batch_runs import each_batch
from cinematch_assets.errors import CinematchError

BATCHES = ["a", "b", "c"]
RANGE = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("batches", BATCHES)
        yield instance


def make_asset(failing: str | None = None) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=dg.DynamicPartitionsDefinition(name="batches"),
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def table(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        def work(batch: str) -> dg.MaterializeResult:
            if batch == failing:
                raise CinematchError(f"{batch}.csv has no column rating")
            return dg.MaterializeResult(metadata={"file": f"{batch}.csv"}, data_version=dg.DataVersion(batch))

        return each_batch(context, work, next_step=lambda refused: f"correct {refused}")

    return table


def metadata(instance: dg.DagsterInstance) -> dict[str | None, dict[str, Any]]:
    events = [
        record.asset_materialization
        for record in instance.fetch_materializations(dg.AssetKey("table"), limit=10).records
    ]
    assert len({event.partition for event in events}) == len(events), "a batch was materialized twice"
    return {event.partition: {name: value.value for name, value in event.metadata.items()} for event in events}


def test_each_batch_of_a_successful_run_has_its_own_metadata(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([make_asset()], instance=instance, tags=RANGE).success
    assert metadata(instance) == {batch: {"file": f"{batch}.csv"} for batch in BATCHES}


def test_a_failing_batch_does_not_stop_the_others(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([make_asset("b")], instance=instance, tags=RANGE, raise_on_error=False)
    assert not result.success
    assert metadata(instance) == {"a": {"file": "a.csv"}, "c": {"file": "c.csv"}}
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    reason, _, next_step = failure.step_failure_data.user_failure_data.description.partition("\nNext: ")
    assert reason == "b.csv has no column rating"
    assert next_step == "correct ['b']"


def test_a_run_of_one_batch_has_its_metadata(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([make_asset()], instance=instance, partition_key="b").success
    assert metadata(instance) == {"b": {"file": "b.csv"}}
    (record,) = instance.fetch_materializations(dg.AssetKey("table"), limit=1).records
    assert (record.asset_materialization.tags or {})["dagster/data_version"] == "b"
