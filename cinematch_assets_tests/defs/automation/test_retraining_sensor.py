"""Decisions become one run, however many wait, and a restart neither loses nor doubles it."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_movies_file, load_ratings_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.champion import promote
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, a_platform, drop, rows_of


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> Platform:
    return a_platform(tmp_path, database_url_18, CINEMATCH_RETRAIN_COOLDOWN_S="0")


def tick(platform: Platform, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("retraining_sensor")(context)


def crowned(platform: Platform, *, listed: bool = True, artifact_format: int = FORMAT) -> str:
    """A champion stands with his lists, so that only decisions ask for runs."""
    artifact = model_registry.Artifact("models/x", "0" * 64, 1, artifact_format)
    with platform.warehouse.connect() as connection:
        version = model_registry.register_candidate(
            connection, "run00000", artifact, method="m", config={}, seed=0, data_size=1, batches=[]
        )
        gate_result = model_registry.GateResult(1, 1, 1, "", {}, {})
        promote(connection, version, artifact, gate_result, over=None, data_size=1, merge="merge")
        if listed:
            lists = pd.DataFrame({"userId": [1], "rank": [1], "movieId": [10], "score": [0.5]})
            write_recommendations(connection, version, lists)
    return version


def rated(platform: Platform) -> None:
    """One rating is loaded."""
    drop(platform, "movies.csv", MOVIES + "10,Heat (1995),Action\n")
    drop(platform, "ratings.csv", RATINGS + "1,10,4.0,1000000000\n")
    for table in ("movies", "ratings"):
        land_table(platform, table)
    load_movies_file(platform)
    load_ratings_file(platform)


def decided(platform: Platform, batch: str, *, due: bool = True) -> None:
    with platform.warehouse.connect() as connection:
        write_assessment(connection, batch, batch.ljust(32, "0"), [], due=due, reason=f"{batch} moved", evidence={})


def ended(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun("retrain", status=status, tags=dict(request.tags)))


def test_several_waiting_decisions_are_one_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    crowned(platform)
    for batch in ("batch_w1", "batch_w2", "batch_w3"):
        decided(platform, batch, due=batch != "batch_w2")
    request = tick(platform, instance)
    assert isinstance(request, dg.RunRequest)
    assert "batch_w1, batch_w3" in request.tags["cinematch/reason"]


def test_the_same_decisions_have_the_same_run_key_until_a_run_has_ended(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    crowned(platform)
    decided(platform, "batch_w1")
    first, again = tick(platform, instance), tick(platform, instance)
    assert first.run_key == again.run_key
    ended(instance, first, dg.DagsterRunStatus.FAILURE)
    assert tick(platform, instance).run_key != first.run_key


def test_nothing_starts_while_a_retraining_runs(platform: Platform, instance: dg.DagsterInstance) -> None:
    crowned(platform)
    decided(platform, "batch_w1")
    ended(instance, tick(platform, instance), dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(platform, instance), dg.SkipReason)


def test_a_retraining_that_keeps_failing_is_given_up_and_says_so(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    crowned(platform)
    decided(platform, "batch_w1")
    for _ in range(platform.settings.retrain_max_attempts):
        ended(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE)
    assert isinstance(tick(platform, instance), dg.SkipReason)
    assert rows_of(platform, "SELECT state, outcome LIKE '3 retrainings failed%' FROM ops.retraining_decisions") == [
        ("failed", True)
    ]


def test_a_decision_on_a_replaced_content_starts_nothing(platform: Platform, instance: dg.DagsterInstance) -> None:
    crowned(platform)
    decided(platform, "batch_w1")
    with platform.warehouse.connect() as connection:
        write_assessment(connection, "batch_w1", "f" * 32, [], due=False, reason="calm now", evidence={})
    assert isinstance(tick(platform, instance), dg.SkipReason)


def test_the_first_model_is_due_as_soon_as_there_are_ratings(platform: Platform, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick(platform, instance), dg.SkipReason)
    rated(platform)
    request = tick(platform, instance)
    assert request.run_key == "retrain:first:1"
    ended(instance, request, dg.DagsterRunStatus.FAILURE)
    assert tick(platform, instance).run_key == "retrain:first:2"


@pytest.mark.parametrize("listed", [True, False])
def test_a_champion_of_a_newer_release_is_left_alone(
    platform: Platform, instance: dg.DagsterInstance, listed: bool
) -> None:
    crowned(platform, listed=listed, artifact_format=FORMAT + 1)
    rated(platform)
    decided(platform, "batch_w1")
    assert "upgrade this one, or go back with cinematch models rollback" in tick(platform, instance).skip_message


@pytest.mark.parametrize("listed", [True, False])
def test_a_champion_of_a_former_format_is_replaced_as_if_there_were_none(
    platform: Platform, instance: dg.DagsterInstance, listed: bool
) -> None:
    version = crowned(platform, listed=listed, artifact_format=FORMAT - 1)
    assert "no ratings" in tick(platform, instance).skip_message
    rated(platform)
    key = f"retrain:{version}:format{FORMAT}"
    assert {tick(platform, instance).run_key for _ in range(100)} == {f"{key}:1"}
    ended(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE)
    request = tick(platform, instance)
    assert (request.run_key, request.asset_selection) == (f"{key}:2", None)
    ended(instance, request, dg.DagsterRunStatus.STARTED)
    assert "under way" in tick(platform, instance).skip_message


@pytest.mark.parametrize("champion", [True, False])
def test_a_new_model_that_keeps_failing_is_given_up_until_a_decision_is_due(
    platform: Platform, instance: dg.DagsterInstance, champion: bool
) -> None:
    if champion:
        crowned(platform, artifact_format=FORMAT - 1)
    rated(platform)
    for _ in range(platform.settings.retrain_max_attempts):
        ended(instance, tick(platform, instance), dg.DagsterRunStatus.SUCCESS)
    assert "given up after 3 runs" in tick(platform, instance).skip_message
    decided(platform, "batch_w1")
    assert "batch_w1" in tick(platform, instance).tags["cinematch/reason"]


def test_lists_that_a_dead_run_did_not_write_are_asked_for(platform: Platform, instance: dg.DagsterInstance) -> None:
    version = crowned(platform, listed=False)
    request = tick(platform, instance)
    assert request.run_key == f"lists:{version}:1"
    assert request.asset_selection == [dg.AssetKey("recommendations")]
