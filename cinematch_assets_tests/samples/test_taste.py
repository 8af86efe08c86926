import numpy as np

from cinematch_assets.samples.taste import Taste


def two_camps(users: int = 200, movies: int = 100, each: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Even users rate even movies, odd ones odd movies."""
    rng = np.random.default_rng(0)
    rows = np.arange(users).repeat(each)
    return rows, rng.integers(0, movies // 2, len(rows)) * 2 + rows % 2


def test_pairs_of_one_camp_are_above_chance_and_others_below() -> None:
    users, movies = two_camps()
    taste = Taste.fit(users, movies, (200, 100))
    pairs = np.arange(200).repeat(100), np.tile(np.arange(100), 200)
    excess, same = taste.excess(*pairs), pairs[0] % 2 == pairs[1] % 2
    assert excess[same].mean() > 0.1
    assert excess[~same].mean() < -0.1


def test_a_movie_without_ratings_and_a_lone_user_have_no_taste() -> None:
    users, movies = two_camps()
    unrated = Taste.fit(users, movies, (200, 101)).excess(np.arange(200), np.full(200, 100))
    np.testing.assert_allclose(unrated, 0, atol=1e-5)
    alone = Taste.fit(np.zeros(5, np.int64), np.arange(5), (1, 5))
    np.testing.assert_allclose(alone.excess(np.zeros(5, np.int64), np.arange(5)), 0, atol=1e-6)
