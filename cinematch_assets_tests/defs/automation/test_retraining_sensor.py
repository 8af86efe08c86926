"""Waiting decisions become one run; rows and runs of Dagster are the sensor's only memory."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.dagster_support import runs
from cinematch_assets.dagster_support.runs import CAUSE_TAG
from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.models.training_lease import RETRAINING
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.warehouse.approval import await_approval
from cinematch_assets.warehouse.champion import reject
from cinematch_assets.warehouse.leases import find_lease, return_lease, take_lease
from cinematch_assets.warehouse.model_registry import Artifact, GateResult, register_candidate
from cinematch_assets.warehouse.outstanding import list_outstanding
from cinematch_assets.warehouse.training_data import read_data_key
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import (
    MOVIES,
    RATINGS,
    given_candidate,
    given_champion,
    load_table,
    make_platform,
    rows_of,
)
from cinematch_assets_tests.support.warehouse_rows import assess, load, make_ratings


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> Platform:
    return make_platform(tmp_path, database_url_18, CINEMATCH_RETRAIN_COOLDOWN_S="0", CINEMATCH_RETRY_GAP_S="0")


def tick(platform: Platform, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("retraining_sensor")(context)


def load_rating(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    project_movies(platform)
    load_table(platform, "ratings", RATINGS + "1,10,4.0,1000000000\n")


def add_decision(platform: Platform, batch: str, *, due: bool = True, content: str = "a") -> None:
    with platform.warehouse.connect() as connection:
        load(connection, batch, make_ratings((1, 10, 4.0, 1)), content)
        assess(connection, batch, due=due)


def add_run(
    instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus, cause: str = "", at: str = ""
) -> None:
    causes = {f"{CAUSE_TAG}{at or 'recommender_model'}": f"{cause}: why"} if cause else {}
    instance.add_run(dg.DagsterRun("retrain", status=status, tags={**request.tags, **causes}))


def rows(platform: Platform) -> dict[str, tuple[str, str]]:
    return {row.work: (row.state, row.reason) for row in platform.warehouse.run(list_outstanding)}


def test_several_waiting_decisions_are_one_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    given_champion(platform)
    for batch in ("batch_w1", "batch_w2", "batch_w3"):
        add_decision(platform, batch, due=batch != "batch_w2")
    request = tick(platform, instance)
    assert isinstance(request, dg.RunRequest)
    assert "batch_w1, batch_w3" in request.tags["cinematch/reason"]
    assert rows(platform) == {
        "batch_w1": ("running", "a run was requested"),
        "batch_w3": ("running", "a run was requested"),
    }


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


def test_nothing_is_trained_while_a_version_awaits_approval(platform: Platform, instance: dg.DagsterInstance) -> None:
    champion = given_champion(platform)
    add_decision(platform, "batch_w1")
    assert isinstance(tick(platform, instance), dg.RunRequest)
    waiting = given_candidate(platform, "22222222")
    with platform.warehouse.connect() as connection:
        artifact, result = Artifact("models/x", "0" * 64, 1, FORMAT), GateResult(1, 1, 1, "", {}, {"reason": "better"})
        await_approval(connection, waiting, artifact, result, over=champion, data_size=1, days=1)
        assert isinstance(tick(platform, instance), dg.SkipReason)
        ((state, reason),) = rows(platform).values()
        assert state == "waiting"
        assert reason.startswith(f"{waiting} passed the gate and awaits approval until ")
        connection.execute("UPDATE ops.model_versions SET expires_at = now() WHERE version = %s", [waiting])
        assert isinstance(tick(platform, instance), dg.RunRequest)
    assert rows_of(platform, f"SELECT state FROM ops.model_versions WHERE version = '{waiting}'") == [("rejected",)]


def test_a_decision_whose_retrainings_end_with_unforeseen_errors_is_given_up_until_a_new_release(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    for _ in range(platform.settings.retrain_max_attempts):
        add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "bug")
    assert isinstance(tick(platform, instance), dg.SkipReason)
    assert rows(platform) == {"batch_w1": ("given_up", "why")}
    assert rows_of(platform, "SELECT state FROM ops.retraining_decisions") == [("waiting",)]
    monkeypatch.setattr(runs, "release", lambda: "99")
    assert isinstance(tick(platform, instance), dg.RunRequest)


def test_outages_and_kills_do_not_use_up_the_attempts_of_a_decision(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    for number in range(10):
        add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "surroundings" if number % 2 else "")
    assert isinstance(tick(platform, instance), dg.RunRequest)


def test_a_decision_that_failed_for_its_data_is_tried_again_when_the_data_change(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "content")
    assert isinstance(tick(platform, instance), dg.SkipReason)
    add_decision(platform, "batch_w2", due=False, content="b")
    assert isinstance(tick(platform, instance), dg.RunRequest)


def test_a_decision_on_a_replaced_content_starts_no_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    add_decision(platform, "batch_w1", due=False, content="b")
    assert isinstance(tick(platform, instance), dg.SkipReason)


def test_the_first_model_is_due_as_soon_as_there_are_ratings(platform: Platform, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick(platform, instance), dg.SkipReason)
    assert rows(platform) == {"model": ("waiting", "there are no ratings to train a model on")}
    load_rating(platform)
    request = tick(platform, instance)
    first, data, number = request.run_key.removeprefix("model:").split(":")
    assert (first, len(data), number) == ("first", 32, "1")
    add_run(instance, request, dg.DagsterRunStatus.FAILURE)
    assert tick(platform, instance).run_key == f"model:first:{data}:2"


def test_a_model_that_could_not_be_trained_on_five_ratings_is_trained_on_other_ones(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_rating(platform)
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "content")
    assert isinstance(tick(platform, instance), dg.SkipReason)
    assert rows(platform) == {"model": ("given_up", "why")}
    load_table(platform, "ratings", RATINGS + "1,10,4.0,1000000000\n2,10,3.0,1000000000\n")
    assert tick(platform, instance).run_key.endswith(":1")


def test_a_rejected_candidate_is_not_trained_again_on_the_same_ratings(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_rating(platform)
    request = tick(platform, instance)
    with platform.warehouse.connect() as connection:
        version = register_candidate(
            connection,
            "run00000",
            Artifact("models/x", "0" * 64, 1, FORMAT),
            method="m",
            config={},
            seed=0,
            data_size=1,
            batches=[],
            trained_on=read_data_key(connection),
        )
        reject(connection, version, GateResult(1, 1, 1, "", {}, {"reason": "rejected: it does not beat popularity"}))
    add_run(instance, request, dg.DagsterRunStatus.SUCCESS)
    assert "does not beat popularity" in tick(platform, instance).skip_message
    assert rows(platform)["model"][0] == "given_up"
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n11,Ran (1985),Drama\n")
    project_movies(platform)
    assert isinstance(tick(platform, instance), dg.RunRequest)


def test_a_model_waits_for_the_features_that_are_computed(platform: Platform, instance: dg.DagsterInstance) -> None:
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    load_table(platform, "ratings", RATINGS + "1,10,4.0,1000000000\n")
    instance.add_run(dg.DagsterRun("load_catalog", status=dg.DagsterRunStatus.STARTED))
    assert "genre features are computed first" in tick(platform, instance).skip_message
    project_movies(platform)
    assert isinstance(tick(platform, instance), dg.RunRequest)


def test_while_another_platform_retrains_this_one_says_who_and_starts_nothing(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    platform.warehouse.run(take_lease, RETRAINING, "otherhost (/srv/cinematch)", "0123456789", 60)
    assert "under way by otherhost (/srv/cinematch), run 01234567" in tick(platform, instance).skip_message
    assert rows(platform)["batch_w1"][0] == "waiting"
    platform.warehouse.run(return_lease, RETRAINING, "0123456789")
    assert isinstance(tick(platform, instance), dg.RunRequest)


def test_the_lease_of_an_own_run_that_was_killed_holds_nothing_up(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform)
    add_decision(platform, "batch_w1")
    request = tick(platform, instance)
    run = dg.DagsterRun("retrain", status=dg.DagsterRunStatus.FAILURE, tags=dict(request.tags))
    instance.add_run(run)
    platform.warehouse.run(take_lease, RETRAINING, "here", run.run_id, 60)
    assert isinstance(tick(platform, instance), dg.RunRequest)
    assert platform.warehouse.run(find_lease, RETRAINING) is None


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
    data = platform.warehouse.run(read_data_key)
    key = f"model:{version}:format{FORMAT}:{data}"
    assert {tick(platform, instance).run_key for _ in range(20)} == {f"{key}:1"}
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE)
    request = tick(platform, instance)
    assert (request.run_key, request.asset_selection) == (f"{key}:2", None)
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    assert "under way" in tick(platform, instance).skip_message


@pytest.mark.parametrize("champion", [True, False])
def test_a_new_model_that_keeps_failing_is_given_up_and_a_due_decision_is_not(
    platform: Platform, instance: dg.DagsterInstance, champion: bool
) -> None:
    if champion:
        given_champion(platform, artifact_format=FORMAT - 1)
    load_rating(platform)
    for _ in range(platform.settings.retrain_max_attempts):
        add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "bug")
    assert "why" in tick(platform, instance).skip_message
    add_decision(platform, "batch_w1")
    assert tick(platform, instance).run_key.startswith("model:")  # there are other data since
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "content")
    assert "batch_w1" in tick(platform, instance).tags["cinematch/reason"]


def test_recommendations_that_a_dead_run_did_not_publish_are_requested(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    version = given_champion(platform, published=False)
    request = tick(platform, instance)
    assert request.run_key == f"recommendations:{version}:1"
    assert request.asset_selection == [dg.AssetKey("recommendations"), dg.AssetKey("monitoring_report")]


def test_recommendations_that_cannot_be_made_do_not_keep_a_decision_waiting(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    given_champion(platform, published=False)
    add_decision(platform, "batch_w1")
    add_run(instance, tick(platform, instance), dg.DagsterRunStatus.FAILURE, "content", "recommendations")
    assert "batch_w1" in tick(platform, instance).tags["cinematch/reason"]
    assert rows(platform)["recommendations"] == ("given_up", "why")
