import itertools

import numpy as np

from cinematch_assets.recommender.data import Pairs
from cinematch_assets.recommender.kernels.topn import NO_COLUMN, SCAN_WIDTH, Exclusions, best_of_scores


def test_the_best_columns_come_first_and_ties_by_column() -> None:
    scores = np.array([[1.0, 3.0, 3.0, 2.0], [0.0, -1.0, 0.0, -2.0]], np.float32)
    best = best_of_scores(scores, 3, Exclusions.none(2))
    assert best.columns.tolist() == [[1, 2, 3], [0, 2, 1]]
    assert best.scores.tolist() == [[3.0, 3.0, 2.0], [0.0, 0.0, -1.0]]


def test_excluded_columns_are_not_selected_even_when_best() -> None:
    excluded = Exclusions.of(
        np.array([50, 40], np.int32),
        np.array([7, 8, 9], np.int32),
        Pairs(np.array([40, 50, 50, 99], np.int32), np.array([9, 7, 1000, 8], np.int32)),
    )
    best = best_of_scores(np.array([[3, 2, 1], [1, 2, 3]], np.float32), 2, excluded)
    assert best.columns.tolist() == [[1, 2], [1, 0]]


def test_pairs_may_come_in_any_order_and_a_user_may_be_asked_for_twice() -> None:
    rng = np.random.default_rng(0)
    users, movies = rng.integers(1, 9, 60).astype(np.int32), rng.integers(1, 20, 60).astype(np.int32)
    asked, shown = np.array([5, 2, 5, 77], np.int32), np.arange(0, 15, dtype=np.int32)
    found = Exclusions.of(asked, shown, Pairs(users, movies))
    rows = [found.columns[start:stop].tolist() for start, stop in itertools.pairwise(found.starts)]
    expected = [sorted(movie for movie in movies[users == user].tolist() if movie < 15) for user in asked]
    assert rows == expected


def test_with_fewer_candidates_than_k_the_end_stays_empty() -> None:
    scores = np.array([[1.0, -np.inf, np.nan]], np.float32)
    best = best_of_scores(scores, 10, Exclusions.none(1))
    assert best.columns.tolist() == [[0, NO_COLUMN, NO_COLUMN]]
    assert best.scores[0, 1:].tolist() == [-np.inf, -np.inf]


def test_k_of_zero_no_rows_and_no_columns_give_empty_selections() -> None:
    assert best_of_scores(np.zeros((2, 3), np.float32), 0, Exclusions.none(2)).columns.shape == (2, 0)
    assert best_of_scores(np.zeros((0, 3), np.float32), 2, Exclusions.none(0)).columns.shape == (0, 2)
    assert best_of_scores(np.zeros((2, 0), np.float32), 2, Exclusions.none(2)).columns.shape == (2, 0)


def test_many_columns_are_selected_as_by_sorting() -> None:
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(40, 5 * SCAN_WIDTH + 3)).astype(np.float32)
    users, movies = np.nonzero(rng.random(scores.shape) < 0.2)
    rows, columns = (np.arange(size, dtype=np.int32) for size in scores.shape)
    excluded = Exclusions.of(rows, columns, Pairs(users.astype(np.int32), movies.astype(np.int32)))
    expected = np.where(
        np.isin(np.arange(scores.size), users * scores.shape[1] + movies).reshape(scores.shape), -9, scores
    )
    best = best_of_scores(scores, 7, excluded)
    assert best.columns.tolist() == np.argsort(-expected, axis=1, kind="stable")[:, :7].tolist()
