import numpy as np
import pytest

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.kernels.topn import Exclusions
from cinematch_assets.recommender.ranking.ease_dual import DualEase, fit_ease_dual
from cinematch_assets.recommender.ranking.histories import UserHistories
from cinematch_assets_tests.recommender.ranking.textbook import textbook_scores
from cinematch_assets_tests.support.populations import make_catalogue, make_two_tastes

CATALOGUE = make_catalogue()
HISTORIES = UserHistories.of(make_two_tastes(), CATALOGUE.movies)


def fit(config: RankingConfig | None = None) -> DualEase:
    return fit_ease_dual(HISTORIES, CATALOGUE, config or RankingConfig(), np.random.default_rng(0))


@pytest.mark.parametrize(
    "config", [RankingConfig(), RankingConfig(ridge=5.0, dropout=0.0, user_exponent=0.0)], ids=["default", "plain EASE"]
)
def test_scores_are_those_of_the_paper(config: RankingConfig) -> None:
    scores = fit(config).scores(HISTORIES.weights())
    assert np.allclose(scores, textbook_scores(HISTORIES, config), atol=5e-5)


def test_the_best_movies_have_the_highest_scaled_and_shifted_scores() -> None:
    model, weights = fit(), HISTORIES.weights()
    width = weights.shape[1]
    scale, shift = np.linspace(1, 2, width, dtype=np.float32), np.linspace(0, 1, width, dtype=np.float32)
    best = model.best(weights, (scale, shift), 3, Exclusions.none(weights.shape[0]))
    expected = np.argsort(-(scale * model.scores(weights) + shift), axis=1, kind="stable")[:, :3]
    assert best.columns.tolist() == expected.tolist()


def test_arrays_restore_the_model() -> None:
    model = fit()
    restored = DualEase.from_arrays(model.arrays())
    weights = HISTORIES.weights()
    assert restored.scores(weights).tobytes() == model.scores(weights).tobytes()
