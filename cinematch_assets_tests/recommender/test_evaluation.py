from dataclasses import dataclass

import numpy as np
import pytest

from cinematch_assets.recommender import evaluation
from cinematch_assets.recommender.data import Catalogue, Ratings, RecommenderInputError
from cinematch_assets.recommender.evaluation import evaluate, precision_of_test_items
from cinematch_assets.recommender.protocol import Predictions, TopN


@dataclass
class Oracle:
    """Predicts the given rating of each movie and recommends the same movies to every user."""

    by_movie: dict[int, float]
    listed: list[int]
    half_width: float = 0.5
    method: str = "oracle"

    def predict(self, users, movies):
        known = np.ones(len(users), bool)
        ratings = np.array([self.by_movie[int(movie)] for movie in movies], np.float32)
        return Predictions(ratings, ratings * 0 + 1, known, known, ratings * 0 + np.float32(self.half_width))

    def recommend(self, users, k, *, seen, candidates=None):  # noqa: ARG002
        listed = self.listed[:k]
        movies = np.tile(np.array(listed, np.int32), len(users))
        ranks = np.tile(np.arange(1, len(listed) + 1, dtype=np.int32), len(users))
        scores = np.ones(len(movies), np.float32)
        return TopN(np.repeat(users, len(listed)), ranks, movies, scores, scores)


TRAIN = Ratings.of(np.array([1, 1, 2, 2]), np.array([10, 20, 10, 30]), np.array([4.0, 2.0, 5.0, 3.0]))
TEST = Ratings.of(np.array([1, 1, 2]), np.array([30, 40, 20]), np.array([4.0, 2.0, 5.0]))
CATALOGUE = Catalogue.without_titles(np.array([10, 20, 30, 40]))


def figures(listed: list[int]):
    return evaluate(Oracle({20: 4.0, 30: 4.0, 40: 4.0}, listed), TRAIN, TEST, CATALOGUE)


def test_errors_by_hand():
    found = figures([30])
    assert (found.rmse, found.mae) == (pytest.approx(np.sqrt(5 / 3)), 1.0)
    assert found.squared_errors.tolist() == [0.0, 4.0, 1.0]
    assert found.interval_80 == pytest.approx(1 / 3)


def test_precision_of_test_items_counts_users_with_few_by_what_they_have():
    # User 1 has one hit of two, user 2 one of one.
    assert (figures([30]).precision_at_10, figures([30]).users_below_10) == (0.75, 2)


def test_precision_of_test_items_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    users, movies = np.divmod(np.sort(random.choice(900, 400, replace=False)), 30)
    test = Ratings.of(users, movies, random.integers(1, 11, 400) / 2)
    predicted = random.integers(1, 4, 400).astype(np.float32)
    found = []
    for rows in (1, 7, 100, 1 << 16):
        monkeypatch.setattr(evaluation, "SORTED_ROWS", rows)
        found.append(precision_of_test_items(test, predicted, 3))
    by_user = [np.flatnonzero(test.users == user) for user in np.unique(test.users)]
    best = [sorted(rows, key=lambda row: (-predicted[row], test.movies[row]))[:3] for rows in by_user]
    expected = np.mean([np.mean(test.ratings[rows] >= 4) for rows in best]), sum(len(rows) < 3 for rows in by_user)
    assert found == [(pytest.approx(expected[0]), expected[1])] * 4


def test_precision_of_test_items_is_of_the_ten_highest_predicted_only():
    test = Ratings.of(np.ones(12), np.arange(12), np.r_[np.full(10, 4.0), np.full(2, 1.0)])
    best_last = -np.arange(12, dtype=np.float32)
    assert precision_of_test_items(test, best_last) == (1.0, 0)
    assert precision_of_test_items(test, -best_last) == (0.8, 0)


def test_rankings_by_hand():
    # Relevant are (1, 30) and (2, 20); both users are recommended [30, 20].
    found = figures([30, 20])
    assert found.catalogue_precision_at_10 == pytest.approx(0.1)
    assert found.catalogue_ndcg_at_10 == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert found.coverage == 0.5
    # Half of the users rated 30, and half rated 20.
    assert found.novelty == pytest.approx(1.0)


def test_the_ideal_ranking_has_an_ndcg_of_one():
    test = Ratings.of(np.array([1, 1]), np.array([30, 40]), np.array([4.0, 5.0]))
    found = evaluate(Oracle({30: 4.0, 40: 4.0}, [40, 30]), TRAIN, test, CATALOGUE)
    assert found.catalogue_ndcg_at_10 == pytest.approx(1.0)


def test_without_a_liked_movie_rankings_have_no_figure():
    test = Ratings.of(np.array([1]), np.array([30]), np.array([1.0]))
    found = evaluate(Oracle({30: 4.0}, [30]), TRAIN, test, CATALOGUE)
    assert (found.catalogue_ndcg_at_10, found.coverage) == (None, None)


def test_slices_separate_new_movies_from_known_ones():
    rows = {part.name: part.rows for part in figures([30]).slices}
    assert rows["new movies"] == 1
    assert rows["cold users (1 to 9 ratings)"] == 3
    assert rows["popular movies (a fifth of them)"] + rows["tail movies"] == 2


def test_an_empty_test_set_is_refused():
    with pytest.raises(RecommenderInputError, match="no test ratings"):
        evaluate(Oracle({}, []), TRAIN, TRAIN.where(TRAIN.users > 5), CATALOGUE)


def test_the_summary_is_plain():
    assert {"users", "movies", "squared_errors"}.isdisjoint(figures([30]).summary())
