"""The decision on a candidate, and what is stored with it."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.gate_candidate import (
    GatedCandidate,
    compare_lists,
    fingerprint,
    gate_candidate,
)
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.promotion import GateDecision, HoldoutErrors, gate
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.model import FORMAT, Recommender, fit_recommender
from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors, fit_implicit_als
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets_tests.support.platforms import given_candidate, rows_of
from cinematch_assets_tests.support.real_data import find_data

Gated = tuple[Platform, GatedCandidate]


def test_a_first_candidate_that_beats_the_baselines_is_promoted(gated: Gated) -> None:
    platform, first = gated
    assert first.decision.promoted
    assert first.decision.reason.startswith("first model: test RMSE")
    assert first.previous_champion is None
    assert set(first.baselines) == set(first.decision.baselines)
    champion = platform.warehouse.run(read_champion)
    assert champion is not None
    assert champion.version == first.version


def test_the_evidence_is_stored_with_the_version(gated: Gated) -> None:
    platform, first = gated
    ((evidence, metrics),) = rows_of(
        platform, f"SELECT evidence, metrics FROM ops.model_versions WHERE version = '{first.version}'"
    )
    assert isinstance(evidence, dict)
    assert isinstance(metrics, dict)
    assert (evidence["promoted"], evidence["reason"]) == (True, first.decision.reason)
    assert metrics["rmse"] == pytest.approx(first.evaluation.rmse)
    assert rows_of(platform, "SELECT notes FROM model_metrics")[0][0].endswith(first.decision.reason)  # type: ignore[attr-defined]


def test_metadata_has_decision_evidence_and_figures(gated: Gated) -> None:
    metadata = gated[1].as_metadata()
    assert (metadata["promoted"], metadata["champion_before"], metadata["merged_batches"]) == (True, "none", [])
    assert metadata["evidence"]["policy"]["min_users"] == 30
    assert metadata["rmse"] == pytest.approx(gated[1].evaluation.rmse)


def test_a_version_is_decided_on_once(gated: Gated) -> None:
    platform, first = gated
    with pytest.raises(CinematchError, match=f"{first.version} is promoted already"):
        gate_candidate(platform, first.version)


def test_a_candidate_of_another_format_is_refused(champion_platform: Platform) -> None:
    version = given_candidate(champion_platform, "0f0f0f0f", artifact_format=FORMAT + 1)
    with pytest.raises(CinematchError, match="materialize recommender_model for a new one"):
        gate_candidate(champion_platform, version)


def test_a_champion_of_a_newer_release_is_not_replaced(champion_platform: Platform) -> None:
    version = given_candidate(champion_platform, "0e0e0e0e")
    change = "UPDATE ops.model_versions SET artifact_format = %s WHERE state = 'promoted'"
    with champion_platform.warehouse.connect() as connection:
        try:
            connection.execute(change, [FORMAT + 1])
            with pytest.raises(CinematchError, match="cannot replace the champion"):
                gate_candidate(champion_platform, version)
        finally:
            connection.execute(change, [FORMAT])


def test_a_champion_on_the_same_split_bounds_the_total_loss(champion_platform: Platform) -> None:
    """The stored figures of the champion are made better than anything a candidate can reach."""
    champion = "version = (SELECT version FROM ops.champion)"
    store = f"UPDATE ops.model_versions SET evidence = evidence || %s::jsonb WHERE {champion}"
    ((version, rmse),) = rows_of(
        champion_platform, f"SELECT version, evidence ->> 'candidate_rmse' FROM ops.model_versions WHERE {champion}"
    )
    candidate = train_candidate(champion_platform, "0d0d0d0d").version
    with champion_platform.warehouse.connect() as connection:
        try:
            connection.execute(store, [json.dumps({"candidate_rmse": float(str(rmse)) / 2})])
            rejected = gate_candidate(champion_platform, candidate)
        finally:
            connection.execute(store, [json.dumps({"candidate_rmse": float(str(rmse))})])
    assert not rejected.decision.promoted
    assert f"against {version}, the best so far, and a total loss of 3.0% is allowed" in rejected.decision.reason


def test_another_test_split_has_another_fingerprint() -> None:
    rows = Ratings.of(np.array([1, 2]), np.array([3, 4]), np.array([3.0, 4.0]))
    assert fingerprint(rows) == fingerprint(rows)
    assert fingerprint(rows) != fingerprint(Ratings.of(rows.users, rows.movies, rows.ratings + 0.5))


def with_implicit_als(model: Recommender, factors: ImplicitFactors) -> Recommender:
    return replace(model, ranker=replace(model.ranker, implicit_als=factors))


@pytest.mark.faults("gate")
@pytest.mark.slow
def test_of_20_contests_shuffled_implicit_factors_win_none_and_refitted_ones_at_least_18(
    figure: Callable[[str], None],
) -> None:
    """Each contest has a split and a champion of its own; candidate and champion predict the same ratings."""
    folder = find_data("ml-latest-small")
    ratings = Ratings.from_frame(pd.read_csv(folder / "ratings.csv"))
    catalogue = Catalogue.from_frame(pd.read_csv(folder / "movies.csv"))
    config = RecommenderConfig(method="als")
    promoted = {"shuffled": 0, "refitted": 0}
    for contest in range(20):
        rng = np.random.default_rng(contest)
        part = rng.random(len(ratings))
        train, test, new = (
            ratings.where(part < 0.62),
            ratings.where((part >= 0.62) & (part < 0.92)),
            ratings.where(part >= 0.92),
        )
        champion = fit_recommender(train, catalogue, config=config, seed=contest)
        factors = champion.ranker.implicit_als
        refitted = fit_implicit_als(
            champion.ranker.ease.histories,
            catalogue,
            config.ranking.implicit_als,
            np.random.default_rng(100 + contest),
        )
        for name, changed in (
            ("shuffled", replace(factors, movies=rng.permutation(factors.movies))),
            ("refitted", refitted),
        ):
            promoted[name] += _contest(with_implicit_als(champion, changed), champion, train, test, new).promoted
    figure(f"promoted of 20 with shuffled factors: {promoted['shuffled']}, of 20 refitted: {promoted['refitted']}")
    assert promoted["shuffled"] == 0
    assert promoted["refitted"] >= 18


def _contest(
    candidate: Recommender, champion: Recommender, train: Ratings, test: Ratings, new: Ratings
) -> GateDecision:
    errors = [champion.predict(rows.users, rows.movies).errors(rows.ratings) for rows in (test, new)]
    on_test, on_new = (HoldoutErrors(r.users, each, each) for r, each in zip((test, new), errors, strict=True))
    return gate(
        on_test,
        on_new,
        test_ranking=compare_lists(test, train, candidate, champion),
        new_ranking=compare_lists(new, train, candidate, champion),
    )


def test_the_decision_is_a_line_in_the_log(champion_platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cinematch_assets"):
        gated = gate_candidate(champion_platform, train_candidate(champion_platform, "22222222").version)
    assert f"{gated.version} promoted: {gated.decision.reason}" in caplog.messages
    assert any(message.startswith("fit a candidate on ") for message in caplog.messages)
