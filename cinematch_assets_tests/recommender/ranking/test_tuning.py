"""The trial that chooses the ranker's ridge, and what likings count."""

import numpy as np
import pytest

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.ranking.tuning import clearly_better, tuned

USERS, FILMS = 300, 120


def people(seed: int, *, alike: bool) -> Ratings:
    """People who choose by popularity alone, or of whom each group watches its own films."""
    rng = np.random.default_rng(seed)
    weight = np.tile((1.0 + np.arange(FILMS)) ** -0.7, (USERS, 1))
    if not alike:
        weight[np.arange(USERS)[:, None] % 6 != np.arange(FILMS)[None, :] % 6] *= 0.02
    seen = rng.random((USERS, FILMS)) < np.minimum(30 * weight / weight.sum(axis=1, keepdims=True), 0.9)
    u, m = np.nonzero(seen)
    return Ratings.of(u + 1, m + 1, rng.choice([3.0, 4.0, 5.0], len(u)))


def catalogue() -> Catalogue:
    return Catalogue.without_titles(np.arange(1, FILMS + 1))


def test_where_films_are_not_alike_the_ridge_is_stronger_and_where_they_are_it_stays() -> None:
    config = RankingConfig(ridge=5.0)
    moved = tuned(people(1, alike=True), catalogue(), config, 0)
    assert moved.ridge >= 20.0
    assert (moved.implicit_weight / config.implicit_weight) ** 2 == pytest.approx(moved.ridge / config.ridge)
    assert tuned(people(1, alike=False), catalogue(), config, 0) == config


@pytest.mark.parametrize(
    ("gains", "better"),
    [([0.02] * 50, True), ([0.002] * 50, False), ([0.5, -0.5] * 25 + [0.2], False), ([-0.1] * 50, False)],
    ids=["sure and large", "sure and small", "large by chance", "worse"],
)
def test_a_step_has_to_be_better_by_more_than_chance_and_by_enough(gains: list[float], better: bool) -> None:
    before = np.full(len(gains), 0.2)
    assert clearly_better(before + np.array(gains), before) is better


def test_the_order_of_rows_changes_nothing_and_all_else_stays() -> None:
    train, config = people(2, alike=True), RankingConfig(ridge=5.0, popularity_discount=0.1)
    order = np.random.default_rng(0).permutation(len(train))
    shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
    found = tuned(train, catalogue(), config, 3)
    assert found == tuned(shuffled, catalogue(), config, 3)
    assert found == RankingConfig(ridge=found.ridge, implicit_weight=found.implicit_weight, popularity_discount=0.1)


@pytest.mark.parametrize("stars", [2.0, 5.0])
def test_where_nothing_can_be_tried_the_configured_ridge_stays(stars: float) -> None:
    """Nobody likes anything, or there is one rating."""
    rows = 200 if stars < 4 else 1
    train = Ratings.of(np.arange(rows) % 20 + 1, np.arange(rows) // 20 + 1, np.full(rows, stars))
    assert tuned(train, catalogue(), RankingConfig(), 0).ridge == 150.0
