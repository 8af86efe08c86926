import numpy as np

from cinematch_assets.recommender.kernels.topn import BLOCK_USERS, NO_COLUMN, Best
from cinematch_assets.recommender.ranking.rerank import POOL, Signal, blended


def a_pool(columns: list[list[int]], scores: list[list[float]]) -> Best:
    return Best(np.array(columns, np.int32), np.array(scores, np.float32))


def of_films(*values: float, weight: float = 1.0, rows: int = 1) -> Signal:
    return Signal(np.ones((rows, 1), np.float32), np.array(values, np.float32)[:, None], weight)


def test_standardized_opinions_are_added_up() -> None:
    # Likeness 3, 2, 1 has mean 2 and deviation √(2/3); of movies 5, 4, 0 the opinion is 10, 40, 10: mean 20, √200.
    best = blended(a_pool([[5, 4, 0]], [[3, 2, 1]]), [of_films(10, 0, 0, 0, 40, 10, weight=0.5)])
    likeness, signal = np.array([1, 0, -1]) / np.sqrt(2 / 3), np.array([-10, 20, -10]) / np.sqrt(200)
    total = likeness + 0.5 * signal
    assert best.columns.tolist() == [[5, 4, 0]]
    assert np.allclose(best.scores, total, atol=1e-6)
    assert blended(a_pool([[5, 4, 0]], [[3, 2, 1]]), [of_films(10, 0, 0, 0, 40, 10)]).columns.tolist() == [[4, 5, 0]]


def test_an_opinion_that_is_the_same_of_all_films_says_nothing() -> None:
    plain, told = (blended(a_pool([[0, 1]], [[2, 1]]), signals) for signals in ([], [of_films(0.1, 0.1, weight=9)]))
    assert (plain.columns.tolist(), plain.scores.tolist()) == (told.columns.tolist(), told.scores.tolist())


def test_empty_places_stay_last_and_equals_stay_as_they_were() -> None:
    inf = float("inf")
    pool = a_pool([[7, 3, NO_COLUMN], [NO_COLUMN, NO_COLUMN, NO_COLUMN]], [[1, 1, -inf], [-inf, -inf, -inf]])
    best = blended(pool, [of_films(*[0.0] * 8, rows=2)])
    assert best.columns.tolist() == [[7, 3, NO_COLUMN], [NO_COLUMN, NO_COLUMN, NO_COLUMN]]
    assert best.scores.tolist() == [[0.0, 0.0, -inf], [-inf, -inf, -inf]]


def test_a_row_is_the_same_alone_and_among_many_and_a_pool_s_end_does_not_move_its_beginning() -> None:
    rng = np.random.default_rng(0)
    rows, movies = BLOCK_USERS + 30, 3 * POOL
    columns = np.argsort(rng.random((rows, movies)), axis=1).astype(np.int32)
    scores = -np.sort(-rng.random((rows, movies)), axis=1).astype(np.float32)
    users, sides = rng.standard_normal((rows, 5), np.float32), rng.standard_normal((movies, 5), np.float32)
    every = blended(Best(columns, scores), [Signal(users, sides, 0.7)])
    last = blended(Best(columns[-1:], scores[-1:]), [Signal(users[-1:], sides, 0.7)])
    assert every.columns[-1:].tolist() == last.columns.tolist()
    assert every.scores[-1:].tobytes() == last.scores.tobytes()
    short = blended(Best(columns[:, :POOL], scores[:, :POOL]), [Signal(users, sides, 0.7)])
    known = dict(zip(every.columns[0], every.scores[0], strict=True))
    assert all(known[movie] == score for movie, score in zip(short.columns[0], short.scores[0], strict=True))
