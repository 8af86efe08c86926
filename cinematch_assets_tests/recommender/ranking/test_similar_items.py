import numpy as np
import pytest
from numpy.typing import NDArray

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.ranking.histories import UserHistories
from cinematch_assets.recommender.ranking.similar_items import (
    PRIOR_LOG_MEAN,
    PRIOR_WEIGHT,
    ItemSimilarity,
    fit_rasch_odds,
    fit_similar_items,
)

MOVIES = np.arange(6, dtype=np.int32)
NO_FRANCHISES = np.arange(6, dtype=np.int32)
NO_DESCRIPTION = Catalogue.without_titles(MOVIES)


def make_histories(rows: dict[int, list[int]]) -> UserHistories:
    """Users and the movies that each of them gave five stars, which weigh 1."""
    users = np.repeat(list(rows), [len(movie_ids) for movie_ids in rows.values()])
    movies = np.concatenate(list(rows.values()))
    return UserHistories.of(Ratings.of(users, movies, np.full(len(movies), 5.0)), MOVIES)


def fit(histories: UserHistories, catalogue: Catalogue) -> ItemSimilarity:
    return fit_similar_items(histories, catalogue, RankingConfig(), np.random.default_rng(0))


def similarities(
    histories: UserHistories, catalogue: Catalogue, movie: int, franchises: NDArray[np.int32] = NO_FRANCHISES
) -> NDArray[np.float64]:
    return fit(histories, catalogue).similarities(movie, histories, franchises)


def make_catalogue(**of_movie: tuple[str, str]) -> Catalogue:
    """Titles and genres of ``movie0`` to ``movie5``; others have neither year nor genres."""
    rows = [of_movie.get(f"movie{movie}", (f"Movie {movie}", "")) for movie in MOVIES]
    return Catalogue.of(MOVIES, [title for title, _ in rows], [genres for _, genres in rows])


def test_the_rasch_model_expects_the_number_of_ratings_of_each_user_and_movie() -> None:
    rng = np.random.default_rng(2)
    probability = 1 / (1 + np.exp(2 - rng.normal(0, 1, 60)[:, None] - rng.normal(0, 1, 40)))
    rated = rng.random(probability.shape) < probability
    x, y = fit_rasch_odds(rated.sum(axis=1), rated.sum(axis=0))
    odds = np.outer(x, y)
    expected = odds / (1 + odds)
    assert np.allclose(expected.sum(axis=1), rated.sum(axis=1), rtol=0.04)
    assert np.allclose(expected.sum(axis=0), rated.sum(axis=0), rtol=0.04)


def test_the_odds_of_an_unrated_movie_are_zero_and_those_of_one_that_all_rated_are_high() -> None:
    x, y = fit_rasch_odds(np.array([3, 3]), np.array([2, 2, 2, 0]))
    assert y[3] == 0.0
    assert np.isfinite(x).all()
    assert np.outer(x, y)[:, :3].min() > 10.0


def test_the_formula_on_four_users() -> None:
    histories = make_histories({1: [0, 1], 2: [0, 1], 3: [2, 3], 4: [2, 3]})
    found = similarities(histories, NO_DESCRIPTION, 0)
    prior = PRIOR_WEIGHT * np.exp(PRIOR_LOG_MEAN - 0.1)  # without a year: as if a decade apart
    both, neither = (n + prior for n in (2.0, 0.0))
    expected = 2 * 0.5  # two raters, each with a probability of one half
    assert found[0] == 0.0
    assert found[1] == pytest.approx(both / (expected + PRIOR_WEIGHT) * np.exp(-1 / np.sqrt(both)), rel=1e-3)
    assert found[2] == pytest.approx(neither / (expected + PRIOR_WEIGHT) * np.exp(-1 / np.sqrt(neither)), rel=1e-3)


def test_a_movie_that_all_users_rated_is_not_similar_to_every_movie() -> None:
    histories = make_histories({user: [0, 5, 1] if user % 4 == 0 else [5, 2 + user % 3] for user in range(1, 41)})
    found = similarities(histories, NO_DESCRIPTION, 0)
    assert found[1] > 1.0 > found[5]


@pytest.mark.parametrize(("times", "most_similar"), [(1, 2), (20, 1)], ids=["few co-ratings", "many co-ratings"])
def test_many_co_ratings_outweigh_the_description_and_few_do_not(times: int, most_similar: int) -> None:
    """Movie 1 is rated together with movie 0, movie 2 is described like it."""
    catalogue = make_catalogue(
        movie0=("One (1999)", "Drama"), movie2=("Two (1999)", "Drama"), movie1=("Far (1939)", "Western")
    )
    together = {2 * n: [0, 1] for n in range(times)}
    others = {2 * n + 1: [2 + n % 4, 3] if n % 4 != 1 else [4, 5] for n in range(3 * times)}
    assert similarities(make_histories(together | others), catalogue, 0).argmax() == most_similar


def test_an_unrated_movie_is_most_similar_to_its_franchise_then_by_genres_and_year() -> None:
    catalogue = make_catalogue(
        movie0=("Saga II (1999)", "Horror"),
        movie1=("Saga (1969)", "Horror"),
        movie2=("Cold (1998)", "Horror"),
        movie3=("Old (1938)", "Horror"),
        movie4=("Warm (1998)", "Comedy"),
    )
    histories = make_histories({1: [1, 2, 3, 4, 5], 2: [2, 3, 4, 5]})
    found = similarities(histories, catalogue, 0, np.array([0, 0, 1, 2, 3, 4], np.int32))
    assert np.argsort(-found)[:4].tolist() == [1, 2, 3, 4]


def test_arrays_restore_the_similarities() -> None:
    histories = make_histories({1: [0, 1], 2: [1, 2]})
    before = fit(histories, make_catalogue(movie0=("One (1999)", "Drama|Comedy")))
    restored = ItemSimilarity.from_arrays(before.arrays())
    expected = before.similarities(0, histories, NO_FRANCHISES)
    assert restored.similarities(0, histories, NO_FRANCHISES).tobytes() == expected.tobytes()
    assert all(array.dtype.kind in "iuf" for array in before.arrays().values())
