"""From files to a champion, and from a drifted batch to the next one; all of it signed in as ml_pipeline."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.attention import attention
from cinematch_assets.pipeline.batch_drift import assess_batch
from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate, gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations, roll_back, set_champion
from cinematch_assets.pipeline.models.query import recommend_for_likes, recommend_for_user, similar_movies
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.champion import NoChampionError, promote, reject, require_champion
from cinematch_assets_tests.support.platforms import drop_history, load_table, make_platform, rows_of, take_in_history


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[Platform]:
    with migrated_database() as owner_url:
        url = f"{owner_url}&user=ml_pipeline"
        platform = make_platform(tmp_path_factory.mktemp("loop"), url, CINEMATCH_RETRAIN_UNSEEN_SHARE="100")
        assert rows_of(platform, "SELECT current_user::text") == [("ml_pipeline",)]
        drop_history(platform)
        take_in_history(platform)
        retrain(platform, "11111111")
        yield platform


def retrain(platform: Platform, run_id: str) -> GatedCandidate:
    gated = gate_candidate(platform, train_candidate(platform, run_id).version)
    publish_recommendations(platform)
    return gated


def ingest(platform: Platform, **options: float) -> str:
    batch = simulate_next(platform, **options).batch_id
    load_table(platform, f"batches/{batch}")
    return batch


def test_the_first_model_beats_every_baseline_and_becomes_champion(platform: Platform) -> None:
    version, _ = load_champion(platform)
    assert version.version == "run_11111111_v1"
    baselines = [each["rmse"] for each in version.metrics["baselines"].values()]
    assert version.metrics["rmse"] < min(baselines)
    assert rows_of(platform, "SELECT DISTINCT model_version FROM recommendations") == [("run_11111111_v1",)]


def test_no_user_is_recommended_a_movie_they_have_rated(platform: Platform) -> None:
    clash = "SELECT count(*) FROM recommendations JOIN ratings USING (userId, movieId)"
    assert rows_of(platform, clash) == [(0,)]
    assert rows_of(platform, "SELECT count(*) % 10, count(DISTINCT userId) FROM recommendations") == [(0, 200)]


def test_a_drifted_batch_leads_to_a_new_champion_and_a_rollback_restores_the_old_one_byte_for_byte(
    platform: Platform,
) -> None:
    _, first = load_champion(platform)
    before = rows_of(platform, "SELECT userid, rank, movieid, score FROM recommendations ORDER BY 1, 2")
    calm = assess_batch(platform, ingest(platform, rows=1_100))
    assert not calm.decision.due, calm.decision.reason
    drifted = assess_batch(platform, ingest(platform, rows=1_100, drift=0.7))
    assert drifted.decision.due, drifted.decision.reason
    assert drifted.scored_by == "run_11111111_v1"
    gated = retrain(platform, "22222222")
    assert gated.decision.promoted, gated.decision.reason
    assert gated.merged == ("batch_w1", "batch_w2")
    assert rows_of(platform, "SELECT count(*) FROM ratings_buffer") == [(0,)]
    assert rows_of(platform, "SELECT DISTINCT data_split FROM ratings WHERE batch_id IS NOT NULL") == [("train",)]
    assert rows_of(platform, "SELECT state FROM ops.retraining_decisions ORDER BY id") == [
        ("not_due",),
        ("retrained",),
    ]
    roll_back(platform)
    version, back = load_champion(platform)
    assert version.version == "run_11111111_v1"
    assert back.to_bytes() == first.to_bytes()
    assert rows_of(platform, "SELECT userid, rank, movieid, score FROM recommendations ORDER BY 1, 2") == before
    with pytest.raises(CinematchError, match="is the first champion"):
        roll_back(platform)


def test_assessing_a_batch_again_replaces_its_rows_and_opens_no_decision(platform: Platform) -> None:
    batch = ingest(platform, rows=1_200)
    first = assess_batch(platform, batch)
    assert assess_batch(platform, batch).alerts == first.alerts
    where = f"WHERE batch_id = '{batch}'"
    assert rows_of(platform, f"SELECT count(*), count(DISTINCT feature_name) FROM drift_alerts {where}") == [(5, 5)]
    assert rows_of(platform, f"SELECT count(*) FROM ops.retraining_decisions {where}") == [(1,)]


@pytest.mark.faults("gate")
@pytest.mark.parametrize("spoilt", ["shuffled", "popularity"])
def test_a_candidate_trained_on_spoilt_ratings_is_rejected(
    platform: Platform, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinematch_assets.pipeline.models import train_candidate as training_module

    honest = training_module.fit_recommender

    def worthless(train: Ratings, catalogue: object, **how: object) -> object:
        stars = np.random.default_rng(0).permutation(train.ratings)
        if spoilt == "popularity":
            frame = train.to_frame()
            stars = frame.groupby("movieId")["rating"].transform("count").rank(pct=True).to_numpy() * 4.5 + 0.5
        return honest(Ratings.of(train.users, train.movies, stars, train.timestamps), catalogue, **how)

    monkeypatch.setattr(training_module, "fit_recommender", worthless)
    version = train_candidate(platform, "bad00000").version
    champion = load_champion(platform)[0].version
    gated = gate_candidate(platform, version)
    assert not gated.decision.promoted, gated.decision.reason
    assert load_champion(platform)[0].version == champion
    assert rows_of(platform, f"SELECT state FROM ops.model_versions WHERE version = '{version}'") == [("rejected",)]


def test_a_version_is_decided_on_once(platform: Platform) -> None:
    with pytest.raises(CinematchError, match="is promoted already"):
        gate_candidate(platform, "run_11111111_v1")


@pytest.mark.faults("determinism")
def test_training_twice_on_the_same_rows_gives_the_same_bytes(platform: Platform) -> None:
    first, second = (train_candidate(platform, "same0000") for _ in range(2))
    assert first.artifact.sha256 == second.artifact.sha256
    assert first.version != second.version


def test_known_users_unknown_users_and_titles_get_recommendations(platform: Platform) -> None:
    known = recommend_for_user(platform, 1, 5)
    assert len(known.suggestions) == 5
    assert "has rated" in known.basis
    unknown = recommend_for_user(platform, 999_999, 5)
    assert "cold start" in unknown.basis
    title = unknown.suggestions[0].title
    liked = recommend_for_likes(platform, [title], 5)
    assert title in liked.basis
    assert title not in {each.title for each in liked.suggestions}
    assert title not in {each.title for each in similar_movies(platform, title, 5).suggestions}
    with pytest.raises(CinematchError, match="no movie is called"):
        similar_movies(platform, "A movie that was never made")


def test_promotion_is_refused_when_another_champion_came_first(platform: Platform) -> None:
    candidate = train_candidate(platform, "race0000")
    with (
        platform.warehouse.connect() as connection,
        pytest.raises(model_registry.RegistryConflictError, match="run it again"),
    ):
        promote(
            connection,
            candidate.version,
            candidate.artifact,
            model_registry.GateResult(1, 1, 1, "", {}, {}),
            over="run_00000000_v0",
            data_size=1,
            merge="merge",
        )
    assert load_champion(platform)[0].version != candidate.version


def test_a_refused_first_model_is_named_with_its_reason(tmp_path: Path, database_url_18: str) -> None:
    fresh = make_platform(tmp_path, database_url_18)
    artifact = model_registry.Artifact("models/x", "0" * 64, 1, FORMAT)
    with fresh.warehouse.connect() as connection:
        with pytest.raises(NoChampionError, match="yet"):
            require_champion(connection)
        version = model_registry.register_candidate(
            connection, "poor0000", artifact, method="m", config={}, seed=0, data_size=1, batches=[]
        )
        reject(connection, version, model_registry.GateResult(1, 1, 1, "", {}, {"reason": "refused: no better"}))
        with pytest.raises(NoChampionError, match="run_poor0000_v1 was refused: no better"):
            require_champion(connection)


def test_where_people_approve_a_candidate_waits_and_then_serves_as_the_gate_s_would(platform: Platform) -> None:
    lenient = {"promotion": "approve", "max_test_rmse_loss": 0.1, "max_total_loss": 0.1}
    asked = replace(platform, settings=platform.settings.model_copy(update=lenient))
    champion = load_champion(platform)[0].version
    batch = ingest(platform, rows=1_300, drift=0.7)
    assert assess_batch(platform, batch).decision.due
    gated = retrain(asked, "33333333")
    assert gated.decision.promoted, gated.decision.reason
    assert (gated.awaits_approval, gated.is_promoted, gated.merged) == (True, False, ())
    assert gated.as_metadata()["reason"].startswith("awaits approval; no worse: ")
    assert load_champion(platform)[0].version == champion
    (row,) = (row for row in attention(asked) if row.what == "approval")
    assert row.next_step == f"run cinematch models promote {gated.version}, or cinematch models reject {gated.version}"
    set_champion(asked, gated.version, "looks right")
    assert load_champion(platform)[0].version == gated.version
    assert rows_of(platform, "SELECT DISTINCT model_version FROM recommendations") == [(gated.version,)]
    assert rows_of(platform, f"SELECT state FROM ops.retraining_decisions WHERE batch_id = '{batch}'") == [
        ("retrained",)
    ]
    assert rows_of(platform, f"SELECT count(*) FROM ratings_buffer WHERE batch_id = '{batch}'") == [(0,)]
    assert not [row for row in attention(asked) if row.what == "approval"]


def test_where_people_approve_a_first_model_serves_at_once(tmp_path: Path, database_url_18: str) -> None:
    fresh = make_platform(tmp_path, database_url_18, CINEMATCH_PROMOTION="approve")
    drop_history(fresh, users=60, movies=40)
    take_in_history(fresh)
    assert retrain(fresh, "11111111").is_promoted


def test_maintenance_and_a_question_run_in_the_same_role(platform: Platform) -> None:
    done = run_maintenance(platform)
    assert {size.table for size in done.sizes} >= {"public.drift_alerts_archive", "public.ratings"}
    with platform.warehouse.open_answer("SELECT current_user::text, count(*) FROM movies") as answer:
        assert list(answer.rows) == [("analyst", 150)]
