import numpy as np

from cinematch_assets.recommender import top
from cinematch_assets.recommender.data import Pairs
from cinematch_assets.recommender.top import best_columns, best_unseen

CANDIDATES = np.array([10, 20, 30, 40], np.int32)
SCORES = {1: [0.1, 0.4, 0.4, -np.inf], 2: [0.9, 0.8, 0.7, 0.6]}


NOTHING = Pairs.none()


def score(users):
    return np.array([SCORES[int(user)] for user in users], np.float32)


def test_the_best_come_first_and_equals_by_movie() -> None:
    users, ranks, movies, scores = best_unseen(np.array([2, 1], np.int32), CANDIDATES, 3, seen=NOTHING, score=score)
    assert list(zip(users.tolist(), ranks.tolist(), movies.tolist(), strict=True)) == [
        (2, 1, 10),
        (2, 2, 20),
        (2, 3, 30),
        (1, 1, 20),
        (1, 2, 30),
        (1, 3, 10),
    ]
    assert scores[0] == np.float32(0.9)


def test_seen_movies_and_those_without_a_score_are_left_out() -> None:
    seen = Pairs(np.array([2, 1], np.int32), np.array([10, 20], np.int32))
    users, _, movies, _ = best_unseen(np.array([1, 2], np.int32), CANDIDATES, 4, seen=seen, score=score)
    assert list(zip(users.tolist(), movies.tolist(), strict=True)) == [(1, 30), (1, 10), (2, 20), (2, 30), (2, 40)]


def test_blocks_of_users_give_the_same(monkeypatch) -> None:
    users = np.array([1, 2, 1], np.int32)
    at_once = best_unseen(users, CANDIDATES, 2, seen=NOTHING, score=score)
    monkeypatch.setattr(top, "BLOCK_CELLS", 4)
    for one, other in zip(at_once, best_unseen(users, CANDIDATES, 2, seen=NOTHING, score=score), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_users_have_no_recommendations_and_no_columns_no_best() -> None:
    assert [len(part) for part in best_unseen(np.zeros(0, np.int32), CANDIDATES, 2, seen=NOTHING, score=score)] == [
        0
    ] * 4
    assert best_columns(np.zeros((2, 0), np.float32), 3).shape == (2, 0)
