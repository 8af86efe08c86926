"""The trial that chooses the ranker's ridge."""

import numpy as np
import pytest

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.ranking import RankingConfig
from cinematch_assets.recommender.ranking_tuning import tuned

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
    assert tuned(people(1, alike=True), catalogue(), config, 0).ridge >= 20.0
    assert tuned(people(1, alike=False), catalogue(), config, 0).ridge == 5.0


def test_the_order_of_rows_changes_nothing_and_all_else_stays() -> None:
    train, config = people(2, alike=True), RankingConfig(ridge=5.0, novelty=0.1)
    order = np.random.default_rng(0).permutation(len(train))
    shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
    found = tuned(train, catalogue(), config, 3)
    assert found == tuned(shuffled, catalogue(), config, 3)
    assert found == RankingConfig(ridge=found.ridge, novelty=0.1)


@pytest.mark.parametrize("stars", [2.0, 5.0])
def test_where_nothing_can_be_tried_the_configured_ridge_stays(stars: float) -> None:
    """Nobody likes anything, or there is one rating."""
    rows = 200 if stars < 4 else 1
    train = Ratings.of(np.arange(rows) % 20 + 1, np.arange(rows) // 20 + 1, np.full(rows, stars))
    assert tuned(train, catalogue(), RankingConfig(), 0).ridge == 150.0
