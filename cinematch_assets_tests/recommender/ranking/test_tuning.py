import numpy as np
import pytest

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.ranking.tuning import clearly_better, tune_ranking

USERS, MOVIES = 300, 120
CATALOGUE = Catalogue.without_titles(np.arange(1, MOVIES + 1))


def make_ratings(seed: int, *, groups: int) -> Ratings:
    """Users who choose by popularity, in one group, or in several that watch movies of their own."""
    rng = np.random.default_rng(seed)
    weight = np.tile((1.0 + np.arange(MOVIES)) ** -0.7, (USERS, 1))
    weight[np.arange(USERS)[:, None] % groups != np.arange(MOVIES)[None, :] % groups] *= 0.02
    rated = rng.random((USERS, MOVIES)) < np.minimum(30 * weight / weight.sum(axis=1, keepdims=True), 0.9)
    u, m = np.nonzero(rated)
    return Ratings.of(u + 1, m + 1, rng.choice([3.0, 4.0, 5.0], len(u)))


def test_ridge_and_implicit_weight_rise_together_where_co_ratings_say_little() -> None:
    config = RankingConfig(ridge=5.0)
    tuned = tune_ranking(make_ratings(1, groups=1), CATALOGUE, config, 0)
    assert tuned.ridge >= 20.0
    assert (tuned.implicit_weight / config.implicit_weight) ** 2 == pytest.approx(tuned.ridge / config.ridge)


def test_the_config_stays_where_co_ratings_say_much() -> None:
    config = RankingConfig(ridge=5.0)
    assert tune_ranking(make_ratings(1, groups=6), CATALOGUE, config, 0) == config


@pytest.mark.parametrize(
    ("gains", "better"),
    [([0.02] * 50, True), ([0.002] * 50, False), ([0.5, -0.5] * 25 + [0.2], False), ([-0.1] * 50, False)],
    ids=["certain and large", "certain and small", "large by chance", "worse"],
)
def test_a_step_has_to_be_better_by_more_than_chance_and_by_enough(gains: list[float], better: bool) -> None:
    before = np.full(len(gains), 0.2)
    assert clearly_better(before + np.array(gains), before) is better


def test_the_order_of_rows_does_not_matter_and_other_hyperparameters_stay() -> None:
    train, config = make_ratings(2, groups=1), RankingConfig(ridge=5.0, popularity_discount=0.1)
    order = np.random.default_rng(0).permutation(len(train))
    shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
    tuned = tune_ranking(train, CATALOGUE, config, 3)
    assert tuned == tune_ranking(shuffled, CATALOGUE, config, 3)
    assert tuned == config.with_values(ridge=tuned.ridge, implicit_weight=tuned.implicit_weight)


@pytest.mark.parametrize(("rows", "rating"), [(200, 2.0), (1, 5.0)], ids=["no liked movie", "one rating"])
def test_the_config_stays_where_nothing_can_be_validated(rows: int, rating: float) -> None:
    train = Ratings.of(np.arange(rows) % 20 + 1, np.arange(rows) // 20 + 1, np.full(rows, rating))
    assert tune_ranking(train, CATALOGUE, RankingConfig(), 0) == RankingConfig()
