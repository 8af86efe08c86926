"""What this project relies on in Dagster, with small definitions: an upgrade that changes it fails here first."""

import logging
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._daemon.sensor import SkippedSensorRun, _get_or_create_sensor_run, fetch_existing_runs

BATCHES = dg.DynamicPartitionsDefinition(name="batches")
RANGE = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
LOG = logging.getLogger("cinematch_behaviour")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
def test_a_run_key_that_any_earlier_run_had_is_skipped(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """Therefore the number of the attempt is part of every run key."""
    tags = {"dagster/run_key": "content:1", "dagster/sensor_name": "sensor"}
    instance.add_run(dg.DagsterRun("job", status=status, tags=tags))
    requests = [dg.RunRequest(run_key="content:1"), dg.RunRequest(run_key="content:2")]
    existing = fetch_existing_runs(instance, SimpleNamespace(name="sensor"), requests)
    assert list(existing) == ["content:1"]
    outcome = _get_or_create_sensor_run(LOG, instance, None, None, None, "run", requests[0], None, existing)
    assert isinstance(outcome, SkippedSensorRun)


def test_a_blocking_check_stops_its_own_run_only(instance: dg.DagsterInstance) -> None:
    """Therefore training reads accepted rows only, and does not trust a check of another run."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("good", asset="table", blocking=True)])
    def table() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="good", passed=False)])

    @dg.asset(deps=[table])
    def model() -> None: ...

    together = dg.materialize([table, model], instance=instance, raise_on_error=False)
    assert not together.asset_materializations_for_node("model")
    assert dg.materialize([table, model], instance=instance, selection=[model]).success


def test_a_failed_check_without_blocking_stops_nothing(instance: dg.DagsterInstance) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("good", asset="table")])
    def table() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="good", passed=False)])

    @dg.asset(deps=[table])
    def model() -> None: ...

    assert dg.materialize([table, model], instance=instance).success


def batch_asset(name: str, policy: dg.BackfillPolicy, **options: object) -> dg.AssetsDefinition:
    @dg.asset(name=name, partitions_def=BATCHES, backfill_policy=policy, **options)
    def asset(context: dg.AssetExecutionContext) -> None:
        context.log.info("keys: %s", " ".join(context.partition_keys))

    return asset


def test_one_run_a_partition_is_the_backfills_choice_and_a_range_in_one_run_still_works(
    instance: dg.DagsterInstance,
) -> None:
    """Therefore every batch asset has to expect several partition keys."""
    policy = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
    instance.add_dynamic_partitions("batches", ["a", "b", "c"])
    result = dg.materialize([batch_asset("raw", policy)], instance=instance, tags=RANGE)
    assert result.success
    assert {event.partition for event in result.asset_materializations_for_node("raw")} == {"a", "b", "c"}


def test_metadata_can_be_added_for_one_partition_of_a_run(instance: dg.DagsterInstance) -> None:
    @dg.asset(partitions_def=BATCHES, backfill_policy=dg.BackfillPolicy.single_run())
    def raw(context: dg.AssetExecutionContext) -> None:
        for key in context.partition_keys:
            context.add_asset_metadata({"file": f"{key}.csv"}, partition_key=key)

    instance.add_dynamic_partitions("batches", ["a", "b", "c"])
    events = dg.materialize([raw], instance=instance, tags=RANGE).asset_materializations_for_node("raw")
    assert {event.partition: event.metadata["file"].value for event in events} == {
        "a": "a.csv",
        "b": "b.csv",
        "c": "c.csv",
    }


@pytest.mark.parametrize("key", ["a b", "a,b", "a...b", "ä"])
def test_any_text_is_accepted_as_a_dynamic_partition(instance: dg.DagsterInstance, key: str) -> None:
    """Therefore the sensor checks names of batches by its own rule."""
    instance.add_dynamic_partitions("batches", [key])
    assert instance.has_dynamic_partition("batches", key)


def test_a_resource_cannot_be_exchanged_together_with_a_selection_of_assets(instance: dg.DagsterInstance) -> None:
    """Therefore ``dagster_support.open_platform`` exchanges it in the definitions."""

    @dg.asset(required_resource_keys={"platform"})
    def table() -> None: ...

    definitions = dg.Definitions(assets=[table], jobs=[dg.define_asset_job("job")], resources={"platform": "one"})
    job = definitions.get_repository_def().get_job("job")
    assert job.execute_in_process(instance=instance, resources={"platform": "two"}).success
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="conflicts with resource"):
        job.execute_in_process(instance=instance, resources={"platform": "two"}, asset_selection=[table.key])


def test_managed_loggers_go_to_the_event_log_of_the_run(tmp_path: Path) -> None:
    """Therefore ``dagster.yaml`` names the logger of the package, and the pipeline needs no Dagster to log."""

    @dg.asset
    def table() -> None:
        LOG.info("read 3 rows")
        LOG.debug("not shown")

    settings = {"python_logs": {"managed_python_loggers": [LOG.name], "python_log_level": "INFO"}}
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path), settings=settings) as instance:
        result = dg.materialize([table], instance=instance)
        logged = [record.message for record in instance.all_logs(result.run_id) if record.dagster_event is None]
    assert any(message.endswith("read 3 rows") for message in logged)
    assert not any("not shown" in message for message in logged)
