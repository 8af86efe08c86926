import time

import numpy as np
import pytest

from cinematch_assets.recommender import top
from cinematch_assets.recommender.data import Pairs
from cinematch_assets.recommender.top import best_unseen

CANDIDATES = np.array([10, 20, 30, 40, 50], np.int32)
SCORES = np.array([0.1, 0.4, 0.4, -np.inf, 0.3], np.float32)


def test_the_best_come_first_and_equals_by_movie_without_those_that_have_no_score() -> None:
    users, ranks, movies, scores = best_unseen(
        np.array([2, 1], np.int32), CANDIDATES, 9, seen=Pairs.none(), scores=SCORES
    )
    assert users.tolist() == [2] * 4 + [1] * 4
    assert ranks.tolist() == [1, 2, 3, 4] * 2
    assert movies.tolist() == [20, 30, 50, 10] * 2
    assert scores.tolist() == SCORES[[1, 2, 4, 0]].tolist() * 2


def test_seen_movies_are_left_out_for_those_who_saw_them() -> None:
    seen = Pairs(np.array([2, 1, 2, 7], np.int32), np.array([20, 30, 50, 10], np.int32))
    users, _, movies, _ = best_unseen(np.array([1, 2], np.int32), CANDIDATES, 2, seen=seen, scores=SCORES)
    assert list(zip(users.tolist(), movies.tolist(), strict=True)) == [(1, 20), (1, 50), (2, 30), (2, 10)]


@pytest.mark.parametrize("seed", range(40))
def test_lists_are_those_of_trying_one_movie_after_the_other(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    monkeypatch.setattr(top, "BLOCK_USERS", 1 + seed % 4)
    candidates = np.sort(random.choice(100, random.integers(0, 30), replace=False)).astype(np.int32)
    scores = random.integers(0, 4, len(candidates)).astype(np.float32)
    scores[random.random(len(scores)) < 0.1] = -np.inf
    users = random.integers(-3, 12, random.integers(0, 9)).astype(np.int32)
    rows, k = random.integers(0, 120), int(random.integers(0, 14))
    seen = Pairs(random.integers(-3, 14, rows).astype(np.int32), random.integers(0, 100, rows).astype(np.int32))
    found = best_unseen(users, candidates, k, seen=seen, scores=scores)
    known = set(zip(seen.users.tolist(), seen.movies.tolist(), strict=True))
    order = sorted(zip((-scores).tolist(), candidates.tolist(), strict=True))
    expected = []
    for user in users.tolist():
        unseen = [(movie, -score) for score, movie in order if score < np.inf and (user, movie) not in known]
        expected += [(user, rank, movie, score) for rank, (movie, score) in enumerate(unseen[:k], start=1)]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected
    assert [part.dtype for part in found] == [np.int32] * 3 + [np.float32]


def test_the_cost_does_not_grow_with_users_times_movies() -> None:
    """Trying each of 60,000 movies for each of 20,000 users takes more than a minute."""
    random = np.random.default_rng(0)
    users, candidates = np.arange(20_000, dtype=np.int32), np.arange(60_000, dtype=np.int32)
    seen = Pairs(np.repeat(users, 50), random.integers(0, 60_000, 1_000_000).astype(np.int32))
    start_s = time.process_time()
    found = best_unseen(users, candidates, 10, seen=seen, scores=np.zeros(60_000, np.float32))
    assert len(found[0]) == 200_000
    assert time.process_time() - start_s < 10
