import numpy as np
from scipy import sparse

from cinematch_assets.recommender.ranking.genre_match import GenreMatch

GENRES = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], bool)
POPULARITY = np.array([1.0, 1.0, 2.0, 0.0, 1.0], np.float32)


def scores(*histories: list[float]) -> np.ndarray:
    match = GenreMatch.of(np.packbits(GENRES, axis=1), POPULARITY)
    return match.user_side(sparse.csr_matrix(np.array(histories, np.float32))) @ match.movies.T


def test_movies_of_a_users_genres_score_above_zero_and_others_below() -> None:
    (found,) = scores([1.0, 0, 0, 0, 0])
    assert found[1] > 0 > found[2]
    assert found[0] == found[1]
    assert found[1] > found[3] > found[2]


def test_a_history_like_all_histories_says_nothing() -> None:
    # Both genres were rated with a weight of two in all.
    np.testing.assert_allclose(scores([1.0, 0, 1.0, 0, 0]), 0.0, atol=1e-6)


def test_the_length_of_a_history_does_not_matter_and_its_weights_do() -> None:
    short, long, mixed = scores([0.5, 0, 0, 0, 0], [1.0, 1.0, 0, 0, 0], [1.0, 0, 0.25, 0, 0])
    np.testing.assert_allclose(short, long, atol=1e-6)
    assert 0 < mixed[1] < short[1]


def test_nothing_is_said_without_a_history_without_genres_and_of_a_movie_without_genres() -> None:
    empty, without_genres, one = scores([0.0] * 5, [0, 0, 0, 0, 1.0], [1.0, 0, 0, 0, 0])
    assert not empty.any()
    assert not without_genres.any()
    assert one[4] == 0
