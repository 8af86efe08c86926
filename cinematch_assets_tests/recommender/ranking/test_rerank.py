import numpy as np

from cinematch_assets.recommender.kernels.topn import BLOCK_USERS, NO_COLUMN, Best
from cinematch_assets.recommender.ranking.rerank import POOL, Signal, rerank_by_signals


def make_pool(columns: list[list[int]], scores: list[list[float]]) -> Best:
    return Best(np.array(columns, np.int32), np.array(scores, np.float32))


def make_signal(*values: float, weight: float = 1.0, rows: int = 1) -> Signal:
    """A signal with the same values of the movies for each row."""
    return Signal(np.ones((rows, 1), np.float32), np.array(values, np.float32)[:, None], weight)


def test_standardized_signals_are_added_up() -> None:
    # Scores 3, 2, 1 have mean 2 and deviation √(2/3); the signal of movies 5, 4, 0 is 10, 40, 10: mean 20, √200.
    pool = make_pool([[5, 4, 0]], [[3, 2, 1]])
    best = rerank_by_signals(pool, [make_signal(10, 0, 0, 0, 40, 10, weight=0.5)])
    score, signal = np.array([1, 0, -1]) / np.sqrt(2 / 3), np.array([-10, 20, -10]) / np.sqrt(200)
    assert best.columns.tolist() == [[5, 4, 0]]
    assert np.allclose(best.scores, score + 0.5 * signal, atol=1e-6)


def test_a_strong_signal_changes_the_order() -> None:
    best = rerank_by_signals(make_pool([[5, 4, 0]], [[3, 2, 1]]), [make_signal(10, 0, 0, 0, 40, 10)])
    assert best.columns.tolist() == [[4, 5, 0]]


def test_a_constant_signal_adds_nothing() -> None:
    pool = make_pool([[0, 1]], [[2, 1]])
    without, constant = (rerank_by_signals(pool, signals) for signals in ([], [make_signal(0.1, 0.1, weight=9)]))
    assert without.columns.tolist() == constant.columns.tolist()
    assert without.scores.tolist() == constant.scores.tolist()


def test_empty_slots_stay_last_and_movies_with_equal_sums_keep_their_order() -> None:
    inf = float("inf")
    pool = make_pool([[7, 3, NO_COLUMN], [NO_COLUMN, NO_COLUMN, NO_COLUMN]], [[1, 1, -inf], [-inf, -inf, -inf]])
    best = rerank_by_signals(pool, [make_signal(*[0.0] * 8, rows=2)])
    assert best.columns.tolist() == [[7, 3, NO_COLUMN], [NO_COLUMN, NO_COLUMN, NO_COLUMN]]
    assert best.scores.tolist() == [[0.0, 0.0, -inf], [-inf, -inf, -inf]]


def make_random_pool() -> tuple[Best, Signal]:
    """One row more than a block has, with pools longer than ``POOL``."""
    rng = np.random.default_rng(0)
    rows, movies = BLOCK_USERS + 1, 3 * POOL
    columns = np.argsort(rng.random((rows, movies)), axis=1).astype(np.int32)
    scores = -np.sort(-rng.random((rows, movies)), axis=1).astype(np.float32)
    sides = rng.standard_normal((rows, 5), np.float32), rng.standard_normal((movies, 5), np.float32)
    return Best(columns, scores), Signal(*sides, 0.7)


def test_a_row_alone_is_ranked_as_among_others() -> None:
    pool, signal = make_random_pool()
    every = rerank_by_signals(pool, [signal])
    alone = Signal(signal.users[-1:], signal.movies, signal.weight)
    last = rerank_by_signals(Best(pool.columns[-1:], pool.scores[-1:]), [alone])
    assert every.columns[-1:].tolist() == last.columns.tolist()
    assert every.scores[-1:].tobytes() == last.scores.tobytes()


def test_movies_beyond_the_pool_do_not_change_the_scores_of_those_in_it() -> None:
    pool, signal = make_random_pool()
    every = rerank_by_signals(pool, [signal])
    short = rerank_by_signals(Best(pool.columns[:, :POOL], pool.scores[:, :POOL]), [signal])
    scores = dict(zip(every.columns[0], every.scores[0], strict=True))
    assert all(scores[movie] == score for movie, score in zip(short.columns[0], short.scores[0], strict=True))
