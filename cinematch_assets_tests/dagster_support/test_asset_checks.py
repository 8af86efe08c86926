"""Checks from declarations, with small assets: alone, by partition, in a range, and when their asset fails."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from cinematch_assets.dagster_support.asset_checks import Check, Outcome, build_checks, checked_when_failing
from cinematch_assets.errors import CinematchError

BATCHES = dg.DynamicPartitionsDefinition(name="batches")
RANGE = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
KEY = dg.AssetKey("table")


def good_but(*bad: str | None) -> Check:
    return Check("good", "…", lambda _, batch: Outcome(batch not in bad, f"seen {batch}", {"n": 1}), blocking=True)


WARNING = Check("odd", "…", lambda *_: Outcome(False, "odd"), severity=dg.AssetCheckSeverity.WARN)


def assets(check: Check, partitions: Any = None, *, refused: str = "", unpartitioned_fails: bool = False) -> list[Any]:
    @dg.asset(partitions_def=partitions, backfill_policy=dg.BackfillPolicy.multi_run(1) if partitions else None)
    def table(context: dg.AssetExecutionContext) -> None:
        with checked_when_failing(context, None):
            if unpartitioned_fails or (partitions and refused in context.partition_keys):
                raise CinematchError("refused")

    @dg.asset(deps=[table], partitions_def=partitions, backfill_policy=table.backfill_policy)
    def model() -> None: ...

    return [table, model, build_checks(table, (check, WARNING), partitions)]


def run(defs: list[Any], instance: dg.DagsterInstance, selection: Any = None, **how: Any) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("job", selection=selection or dg.AssetSelection.all())
    definitions = dg.Definitions(defs[:2], asset_checks=defs[2:], jobs=[job], resources={"platform": "p"})
    return (
        definitions.get_repository_def()
        .get_job("job")
        .execute_in_process(instance=instance, raise_on_error=False, **how)
    )


def states(instance: dg.DagsterInstance, name: str = "good") -> Mapping[str | None, str]:
    """The newest state of a check by partition."""
    history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(KEY, name), limit=50)
    return {record.partition: record.status.value for record in reversed(history)}


def test_a_blocking_check_that_fails_stops_what_is_downstream_and_hides_no_other(instance: dg.DagsterInstance) -> None:
    result = run(assets(good_but(None)), instance)
    assert not result.success
    assert result.asset_materializations_for_node("table")
    assert not result.asset_materializations_for_node("model")
    assert {(each.check_name, each.passed) for each in result.get_asset_check_evaluations()} == {
        ("good", False),
        ("odd", False),
    }


def test_a_check_runs_alone(instance: dg.DagsterInstance) -> None:
    defs = assets(good_but())
    result = run(defs, instance, dg.AssetSelection.checks(dg.AssetCheckKey(KEY, "good")))
    (only,) = result.get_asset_check_evaluations()
    assert (only.check_name, only.passed, only.description) == ("good", True, "seen None")
    assert not result.asset_materializations_for_node("table")


def test_only_the_partition_at_fault_is_red_in_runs_of_one(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("batches", ["a", "b"])
    defs = assets(good_but("b"), BATCHES)
    assert run(defs, instance, partition_key="a").success
    assert not run(defs, instance, partition_key="b").success
    assert states(instance) == {"a": "SUCCEEDED", "b": "FAILED"}


def test_only_the_partition_at_fault_is_red_in_a_run_of_a_range(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("batches", ["a", "b", "c"])
    result = run(assets(good_but("b"), BATCHES), instance, tags=RANGE)
    assert states(instance) == {"a": "SUCCEEDED", "b": "FAILED", "c": "SUCCEEDED"}
    assert not result.asset_materializations_for_node("model")
    assert states(instance, "odd") == dict.fromkeys("abc", "FAILED")


@pytest.mark.parametrize("tags", [RANGE, {}], ids=["range", "one"])
def test_a_failed_asset_leaves_no_check_unevaluated(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    """Dagster shows a planned check of a failed run that was not evaluated as failed."""
    instance.add_dynamic_partitions("batches", ["a", "b", "c"])
    how: dict[str, Any] = {"tags": tags} if tags else {"partition_key": "b"}
    assert not run(assets(good_but(), BATCHES, refused="b"), instance, **how).success
    assert states(instance) == dict.fromkeys("abc" if tags else "b", "SUCCEEDED")


def test_a_failed_asset_without_partitions_too(instance: dg.DagsterInstance) -> None:
    assert not run(assets(good_but(), unpartitioned_fails=True), instance).success
    assert states(instance) == {None: "SUCCEEDED"}
