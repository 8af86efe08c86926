"""Factors of the residuals of biases, fitted elsewhere, become a rating table like any other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinematch_assets.pipeline.models.spark_exchange import SparkTrainer
from cinematch_assets.recommender.config import BiasConfig, RecommenderConfig, SparkAlsConfig
from cinematch_assets.recommender.data import RecommenderInputError
from cinematch_assets.recommender.model import Recommender, fit_recommender, sha256_of
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.residual_als import (
    Factors,
    ResidualFit,
    ResidualRows,
    UnusableFactorsError,
    fit_residual_table,
)
from cinematch_assets.storage.local import LocalStore
from cinematch_assets_tests.support.exchanged_als import VERSIONS, fit_in_numpy
from cinematch_assets_tests.support.worlds import make_world, rmse

WORLD = make_world()
SPLIT = WORLD.split()
CONFIG = SparkAlsConfig(factors=4, sweeps=8, holdout_sweeps=6)


@pytest.fixture
def trainer(tmp_path: Path) -> SparkTrainer:
    return SparkTrainer(LocalStore(tmp_path), fit_in_numpy)


def test_it_predicts_better_than_the_biases_alone(trainer: SparkTrainer) -> None:
    table, computed_by = fit_residual_table(SPLIT.train, WORLD.catalogue, CONFIG, 1, trainer)
    biases = fit_bias(SPLIT.train, WORLD.catalogue, BiasConfig())
    users, movies, ratings = SPLIT.test.users, SPLIT.test.movies, SPLIT.test.ratings
    assert rmse(table.predict(users, movies).ratings, ratings) < 0.95 * rmse(
        biases.predict(users, movies).ratings, ratings
    )
    assert computed_by == VERSIONS


def test_its_intervals_hold_four_fifths_of_the_ratings(trainer: SparkTrainer) -> None:
    world = make_world(users=200, movies=150)
    split = world.split()
    table, _ = fit_residual_table(split.train, world.catalogue, CONFIG, 1, trainer)
    found = table.predict(split.test.users, split.test.movies)
    assert found.half_width is not None
    inside = float(np.mean(np.abs(found.ratings - split.test.ratings) <= found.half_width))
    assert 0.75 < inside < 0.85


def test_a_model_of_it_is_an_artifact_like_any_other(trainer: SparkTrainer) -> None:
    config = RecommenderConfig(method="spark_als", spark_als=CONFIG)
    one = fit_recommender(SPLIT.train, WORLD.catalogue, config=config, seed=3, residual_trainer=trainer)
    data = one.to_bytes()
    back = Recommender.from_bytes(data, sha256_of(data))
    assert back.method.startswith("spark_als + ")
    lists = [each.recommend(SPLIT.test.users[:5], 5, seen=SPLIT.train) for each in (one, back)]
    np.testing.assert_array_equal(lists[0].movies, lists[1].movies)
    assert one.computed_by == VERSIONS
    assert len(one.recommend_for_ratings([(10, 5.0), (50, 1.0)], 5).movies) == 5


def test_held_out_ratings_are_in_the_second_fit_alone() -> None:
    sent: list[ResidualRows] = []

    def keep(rows: ResidualRows, *_: object) -> ResidualFit:
        sent.append(rows)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_residual_table(SPLIT.train, WORLD.catalogue, CONFIG, 1, keep)
    (rows,) = sent
    assert rows.holdout_residuals is not None
    held = np.isnan(rows.holdout_residuals)
    assert len(rows) == len(SPLIT.train)
    assert 0 < held.sum() < 0.06 * len(rows)
    # Biases without these ratings leave other residuals on the rest.
    assert not np.array_equal(rows.holdout_residuals[~held], rows.residuals[~held])
    assert abs(float(rows.residuals.mean(dtype=np.float64))) < 0.01


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: replace(f, users=f.users[:-1], user_factors=f.user_factors[:-1]), r"factors of 119 users came back"),
        (lambda f: replace(f, movies=f.movies + 1), r"factors of \d+ movies came back"),
        (lambda f: replace(f, user_factors=f.user_factors[:, :3]), r"users came back, 3 each, .* 4 each"),
        (lambda f: replace(f, movie_factors=f.movie_factors * np.float32(np.nan)), "not finite"),
    ],
)
def test_factors_of_other_ratings_are_refused(
    trainer: SparkTrainer, spoil: Callable[[Factors], Factors], said: str
) -> None:
    def spoilt(*job: object) -> ResidualFit:
        fit = trainer(*job)  # type: ignore[arg-type]
        return replace(fit, factors=spoil(fit.factors))

    with pytest.raises(UnusableFactorsError, match=said):
        fit_residual_table(SPLIT.train, WORLD.catalogue, CONFIG, 1, spoilt)


def test_a_user_all_of_whose_ratings_are_held_out_gets_factors_of_the_second_fit(trainer: SparkTrainer) -> None:
    few = WORLD.ratings.where(np.arange(len(WORLD.ratings)) % 40 == 0)
    table, _ = fit_residual_table(few, WORLD.catalogue, CONFIG, 5, trainer)
    assert table.users.tolist() == np.unique(few.users).tolist()
    assert np.isfinite(table.predict(few.users, few.movies).ratings).all()


def test_three_ratings_are_enough_and_have_no_intervals(trainer: SparkTrainer) -> None:
    three = WORLD.ratings.where(np.arange(len(WORLD.ratings)) < 3)
    table, _ = fit_residual_table(three, WORLD.catalogue, CONFIG, 1, trainer)
    assert table.predict(three.users, three.movies).std is None


def test_without_a_trainer_the_method_is_refused_in_a_sentence() -> None:
    with pytest.raises(RecommenderInputError, match="spark_als is fitted on Spark"):
        fit_recommender(SPLIT.train, WORLD.catalogue, config=RecommenderConfig(method="spark_als"), seed=1)


def test_the_blocks_follow_from_the_rows_alone() -> None:
    config = SparkAlsConfig()
    assert [config.blocks(rows) for rows in (1, 8_000_000, 24_000_000, 10**9)] == [4, 4, 12, 500]
    assert [config.is_ordered(rows) for rows in (10**8, 10**8 + 1)] == [True, False]
