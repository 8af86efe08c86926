import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Pairs
from cinematch_assets.recommender.kernels import topn
from cinematch_assets.recommender.kernels.topn import (
    NONE,
    Best,
    Exclusions,
    best_of_factors,
    best_of_scores,
)

RNG_SEED = 7


def some_factors(rows: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(RNG_SEED)
    return rng.normal(size=(rows, 8)).astype(np.float32), rng.normal(size=(width, 8)).astype(np.float32)


def some_exclusions(rows: int, width: int, share: float = 0.2) -> Exclusions:
    users, movies = np.nonzero(np.random.default_rng(RNG_SEED).random((rows, width)) < share)
    ids = np.arange(rows, dtype=np.int32), np.arange(width, dtype=np.int32)
    return Exclusions.of(*ids, Pairs(users.astype(np.int32), movies.astype(np.int32)))


def slowly(scores: NDArray[np.float32], k: int, skipped: Exclusions) -> NDArray[np.int64]:
    scores = scores.copy()
    for row in range(len(scores)):
        scores[row, skipped.columns[skipped.starts[row] : skipped.starts[row + 1]]] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def test_the_best_columns_come_first_and_ties_by_column() -> None:
    scores = np.array([[1.0, 3.0, 3.0, 2.0], [0.0, -1.0, 0.0, -2.0]], np.float32)
    best = best_of_scores(scores, 3, Exclusions.none(2))
    assert best.columns.tolist() == [[1, 2, 3], [0, 2, 1]]
    assert best.scores.tolist() == [[3.0, 3.0, 2.0], [0.0, 0.0, -1.0]]


def test_what_is_left_out_is_not_listed_though_it_is_best() -> None:
    skipped = Exclusions.of(
        np.array([50, 40], np.int32),
        np.array([7, 8, 9], np.int32),
        Pairs(np.array([40, 50, 50, 99], np.int32), np.array([9, 7, 1000, 8], np.int32)),
    )
    best = best_of_scores(np.array([[3, 2, 1], [1, 2, 3]], np.float32), 2, skipped)
    assert best.columns.tolist() == [[1, 2], [1, 0]]


def test_pairs_may_come_in_any_order_and_a_user_may_be_asked_twice() -> None:
    rng = np.random.default_rng(0)
    users, movies = rng.integers(1, 9, 60).astype(np.int32), rng.integers(1, 20, 60).astype(np.int32)
    asked, shown = np.array([5, 2, 5, 77], np.int32), np.arange(0, 15, dtype=np.int32)
    found = Exclusions.of(asked, shown, Pairs(users, movies))
    rows = [found.columns[start:stop].tolist() for start, stop in itertools.pairwise(found.starts)]
    expected = [sorted(movie for movie in movies[users == user].tolist() if movie < 15) for user in asked]
    assert rows == expected


def test_places_that_nothing_fits_stay_empty() -> None:
    scores = np.array([[1.0, -np.inf, np.nan]], np.float32)
    best = best_of_scores(scores, 10, Exclusions.none(1))
    assert best.columns.tolist() == [[0, NONE, NONE]]
    assert best.scores[0, 1:].tolist() == [-np.inf, -np.inf]


def test_no_places_no_rows_and_no_columns_are_fine() -> None:
    assert best_of_scores(np.zeros((2, 3), np.float32), 0, Exclusions.none(2)).columns.shape == (2, 0)
    assert best_of_scores(np.zeros((0, 3), np.float32), 2, Exclusions.none(0)).columns.shape == (0, 2)
    assert best_of_scores(np.zeros((2, 0), np.float32), 2, Exclusions.none(2)).columns.shape == (2, 0)


@pytest.mark.parametrize("width", [9, 5000], ids=["one tile", "two tiles"])
def test_factors_give_the_lists_of_the_whole_matrix(width: int) -> None:
    users, movies = some_factors(300, width)
    bias = movies[:, 0].copy()
    skipped = some_exclusions(300, width)
    best = best_of_factors(users, movies, 7, skipped, bias=bias)
    expected = slowly(users @ movies.T + bias, 7, skipped)
    same = best.columns == expected
    assert same[best.columns >= 0].mean() > 0.999  # BLAS may round a tie apart in another tile shape
    assert (best.scores[:, :-1] >= best.scores[:, 1:]).all()


def test_lists_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    users, movies = some_factors(1000, 4500)
    lists: list[Best] = []
    for threads in (1, 4):
        monkeypatch.setattr(topn, "cores", lambda threads=threads: threads)
        lists.append(best_of_factors(users, movies, 10, Exclusions.none(1000)))
    assert lists[0].columns.tobytes() == lists[1].columns.tobytes()
    assert lists[0].scores.tobytes() == lists[1].scores.tobytes()


def test_a_fault_in_one_block_is_raised() -> None:
    def fails(start: int) -> None:
        raise ValueError(f"block {start}")

    with pytest.raises(ValueError, match="block 0"):
        topn.in_blocks(fails, range(0, 10, 5))
