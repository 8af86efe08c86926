"""Waiting decisions become one run; rows and runs of Dagster are the sensor's only memory."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import (
    MOVIES,
    RATINGS,
    given_champion,
    load_table,
    make_platform,
    rows_of,
)
from cinematch_assets_tests.support.warehouse_rows import assess, load, make_ratings


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> Platform:
    return make_platform(tmp_path, database_url_18, CINEMATCH_RETRAIN_COOLDOWN_S="0")


def tick(platform: Platform, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("retraining_sensor")(context)


def load_rating(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    load_table(platform, "ratings", RATINGS + "1,10,4.0,1000000000\n")


def add_decision(platform: Platform, batch: str, *, due: bool = True, content: str = "a") -> None:
    with platform.warehouse.connect() as connection:
        load(connection, batch, make_ratings((1, 10, 4.0, 1)), content)
        assess(connection, batch, due=due)


def add_run(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun("retrain", status=status, tags=dict(request.tags)))


def test_several_waiting_decisions_are_one_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    given_champion(platform)
    for batch in ("batch_w1", "batch_w2", "batch_w3"):
        add_decision(platform, batch, due=batch != "batch_w2")
    request = tick(platform, instance)
    assert isinstance(request, dg.RunRequest)
    assert "batch_w1, batch_w3" in request.tags["cinematch/reason"]


def test_the_same_decisions_have_the_same_run_key_until_a_run_has_ended(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    first, again = tick(platform, instance), tick(platform, instance)
    assert first.run_key == again.run_key
    add_run(instance, first, dg.DagsterRunStatus.FAILURE)
    assert tick(platform, instance).run_key != first.run_key


def test_nothing_starts_while_a_retraining_runs(platform: Platform, instance: dg.DagsterInstance) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(platform, instance), dg.SkipReason)


def test_a_decision_whose_retrainings_keep_failing_is_given_up(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    for _ in range(platform.settings.retrain_max_attempts):
        add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE)
    assert isinstance(tick(platform, instance), dg.SkipReason)
    assert rows_of(platform, "SELECT state, outcome LIKE '3 retrainings failed%' FROM ops.retraining_decisions") == [
        ("failed", True)
    ]


def test_a_decision_on_a_replaced_content_starts_no_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    add_decision(platform, "batch_w1", due=False, content="b")
    assert isinstance(tick(platform, instance), dg.SkipReason)


def test_the_first_model_is_due_as_soon_as_there_are_ratings(platform: Platform, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick(platform, instance), dg.SkipReason)
    load_rating(platform)
    request = tick(platform, instance)
    assert request.run_key == "retrain:first:1"
    add_run(instance, request, dg.DagsterRunStatus.FAILURE)
    assert tick(platform, instance).run_key == "retrain:first:2"


@pytest.mark.parametrize("published", [True, False])
def test_a_champion_of_a_newer_release_is_left_alone(
    platform: Platform, instance: dg.DagsterInstance, published: bool
) -> None:
    given_champion(platform, published=published, artifact_format=FORMAT + 1)
    load_rating(platform)
    add_decision(platform, "batch_w1")
    assert "upgrade this one, or go back with cinematch models rollback" in tick(platform, instance).skip_message


@pytest.mark.parametrize("published", [True, False])
def test_a_champion_of_an_older_format_is_replaced_as_if_there_were_none(
    platform: Platform, instance: dg.DagsterInstance, published: bool
) -> None:
    version = given_champion(platform, published=published, artifact_format=FORMAT - 1)
    assert "no ratings" in tick(platform, instance).skip_message
    load_rating(platform)
    key = f"retrain:{version}:format{FORMAT}"
    assert {tick(platform, instance).run_key for _ in range(20)} == {f"{key}:1"}
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE)
    request = tick(platform, instance)
    assert (request.run_key, request.asset_selection) == (f"{key}:2", None)
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    assert "under way" in tick(platform, instance).skip_message


@pytest.mark.parametrize("champion", [True, False])
def test_a_new_model_that_keeps_failing_is_given_up_until_a_decision_is_due(
    platform: Platform, instance: dg.DagsterInstance, champion: bool
) -> None:
    if champion:
        given_champion(platform, artifact_format=FORMAT - 1)
    load_rating(platform)
    for _ in range(platform.settings.retrain_max_attempts):
        add_run(instance, tick(platform, instance), dg.DagsterRunStatus.SUCCESS)
    assert "given up after 3 runs" in tick(platform, instance).skip_message
    add_decision(platform, "batch_w1")
    assert "batch_w1" in tick(platform, instance).tags["cinematch/reason"]


def test_recommendations_that_a_dead_run_did_not_publish_are_requested(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    version = given_champion(platform, published=False)
    request = tick(platform, instance)
    assert request.run_key == f"recommendations:{version}:1"
    assert request.asset_selection == [dg.AssetKey("recommendations")]
