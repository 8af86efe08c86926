"""The checks of the real assets: what a bad row, a refused file and a missing file turn red, and what they do not."""

from typing import Any

import dagster as dg
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import loaded, run_job
from cinematch_assets_tests.support.platforms import RATINGS, drop, drop_history, take_in_history

PLANT = """
CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.batch_id = 'batch_w2' AND NEW.userId = 7 THEN NEW.rating := 3.3; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plant BEFORE INSERT ON ratings_buffer FOR EACH ROW EXECUTE FUNCTION plant();
"""
BATCHES = ("batch_w1", "batch_w2", "batch_w3")
BUFFER, DRIFT = dg.AssetKey("ratings_buffer"), dg.AssetKey("drift_report")


@pytest.fixture
def platform(platform: Platform, instance: dg.DagsterInstance) -> Platform:
    drop_history(platform)
    take_in_history(platform)
    for batch in BATCHES:
        drop(
            platform, f"batches/{batch}.csv", RATINGS + "".join(f"{u},1{u % 10},4.0,1000000000\n" for u in range(1, 90))
        )
    instance.add_dynamic_partitions("batch_id", list(BATCHES))
    return platform


def states(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[tuple[str, str | None], str]:
    """The newest state of each check of an asset, by check and partition."""
    keys = [key for key in loaded().resolve_asset_graph().asset_check_keys if key.asset_key == asset]
    found = {}
    for key in keys:
        for record in reversed(instance.event_log_storage.get_asset_check_execution_history(key, limit=50)):
            found[key.name, record.partition] = record.status.value
    return found


def metadata(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, dict[str, Any]]:
    """The metadata of each partition's newest materialization."""
    found: dict[str, dict[str, Any]] = {}
    for record in instance.fetch_materializations(asset, limit=100).records:
        event = record.asset_materialization
        if event is not None and event.partition is not None:
            found.setdefault(event.partition, {name: value.value for name, value in event.metadata.items()})
    return found


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str, str | None], dg.AssetCheckEvaluation]:
    return {
        (each.asset_key.to_user_string(), each.check_name, each.partition): each
        for each in result.get_asset_check_evaluations()
    }


RANGE = {"dagster/asset_partition_range_start": "batch_w1", "dagster/asset_partition_range_end": "batch_w3"}


@pytest.mark.parametrize("as_one_run", [False, True], ids=["many_runs", "one_run"])
def test_a_bad_row_turns_its_partition_red_and_stops_what_is_downstream(
    platform: Platform, instance: dg.DagsterInstance, as_one_run: bool
) -> None:
    """The loader rejects such rows, so a trigger plants one."""
    with platform.warehouse.connect() as connection:
        connection.execute(PLANT.encode())
    found: dict[Any, dg.AssetCheckEvaluation] = {}
    if as_one_run:
        result = run_job("ingest_batch", platform, instance, tags=RANGE)
        found = evaluations(result)
        assert not result.asset_materializations_for_node("drift_report")
    else:
        for batch in BATCHES:
            result = run_job("ingest_batch", platform, instance, partition_key=batch)
            found |= evaluations(result)
            assert bool(result.asset_materializations_for_node("drift_report")) is (batch != "batch_w2")
    red = {key for key, state in states(instance, BUFFER).items() if state == "FAILED"}
    assert red == {("pandera_schema", "batch_w2")}
    description = str(found["ratings_buffer", "pandera_schema", "batch_w2"].description)
    assert "rating is not in half steps (1)" in description
    assert "userId&#61;7" in description
    for batch in ("batch_w1", "batch_w3"):
        assert found["ratings_buffer", "pandera_schema", batch].passed
    landed, loaded_rows = (metadata(instance, asset) for asset in (dg.AssetKey("raw_ratings_batch"), BUFFER))
    assert {batch: values["file"] for batch, values in landed.items()} == {batch: f"{batch}.csv" for batch in BATCHES}
    assert {batch: values["rows_accepted"] for batch, values in loaded_rows.items()} == dict.fromkeys(BATCHES, 89)
    after = states(instance, DRIFT)
    assert {key for key, state in after.items() if state == "PLANNED"} == set()  # which the UI shows as failed
    assert {name for (name, batch), state in after.items() if batch == "batch_w2" and state != "SUCCEEDED"} == set()


@pytest.mark.parametrize("as_one_run", [False, True], ids=["many_runs", "one_run"])
def test_a_refused_batch_says_why_and_turns_no_other_check_red(
    platform: Platform, instance: dg.DagsterInstance, as_one_run: bool
) -> None:
    drop(platform, "batches/batch_w2.csv", f"{RATINGS}1,10,9,1\n2,10,8,1\n")
    if as_one_run:
        result = run_job("ingest_batch", platform, instance, tags=RANGE)
    else:
        for batch in ("batch_w1", "batch_w3", "batch_w2"):
            result = run_job("ingest_batch", platform, instance, partition_key=batch)
    assert not result.success
    red = {key for key, state in states(instance, BUFFER).items() if state != "SUCCEEDED"}
    assert red == {("rejected_rows", "batch_w2")}
    key = dg.AssetCheckKey(BUFFER, "rejected_rows")
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    (description,) = {
        str(record.evaluation.description) for record in history if record.partition == "batch_w2" and record.evaluation
    }
    assert "was refused" in description
    assert "rating is not from 0.5 to 5.0" in description.replace("&#45;", "-")
    drift = {key for key, state in states(instance, DRIFT).items() if state != "SUCCEEDED" and key[1] == "batch_w2"}
    assert drift == set()


@pytest.mark.parametrize("fault", ["refused", "missing"])
def test_a_bad_file_of_movies_turns_no_check_red_but_its_own(
    platform: Platform, instance: dg.DagsterInstance, fault: str
) -> None:
    path = drop(platform, "movies.csv", "movieId,title,genres\nx,,\ny,,\n")
    if fault == "missing":
        path.unlink()
    assert not run_job("load_catalog", platform, instance).success
    red = {
        (asset, name)
        for asset in ("movies", "ratings", "movie_genre_features", "netflix_movies")
        for (name, _), state in states(instance, dg.AssetKey(asset)).items()
        if state != "SUCCEEDED"
    }
    assert red == ({("movies", "rejected_rows")} if fault == "refused" else set())


def test_each_check_can_be_run_alone(platform: Platform, instance: dg.DagsterInstance) -> None:
    graph = loaded().resolve_asset_graph()
    keys = {key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey("ratings")}
    only = dg.AssetSelection.checks(*keys)
    definitions = dg.Definitions(
        loaded().assets,
        asset_checks=loaded().asset_checks,
        jobs=[dg.define_asset_job("certify", selection=only)],
        resources={"platform": platform},
    )
    result = definitions.get_repository_def().get_job("certify").execute_in_process(instance=instance)
    assert {check.check_name for check in result.get_asset_check_evaluations()} == {key.name for key in keys}
    assert not result.get_asset_materialization_events()
