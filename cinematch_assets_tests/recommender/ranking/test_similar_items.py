import numpy as np
import pytest
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.ranking.histories import UserHistories
from cinematch_assets.recommender.ranking.similar_items import (
    FRANCHISE,
    PRIOR_LEVEL,
    PRIOR_WEIGHT,
    ItemSimilarity,
    chance,
)

FILMS = np.arange(6, dtype=np.int32)
APART = np.arange(6, dtype=np.int32)
NO_DESCRIPTION = Catalogue.without_titles(FILMS)


def rated(rows: dict[int, list[int]]) -> UserHistories:
    """Users and the films each of them gave five stars, which weigh 1."""
    users = np.repeat(list(rows), [len(movie_ids) for movie_ids in rows.values()])
    movies = np.concatenate(list(rows.values()))
    return UserHistories.of(Ratings.of(users, movies, np.full(len(movies), 5.0)), FILMS)


def near(histories: UserHistories, catalogue: Catalogue, movie: int, franchises: NDArray[np.int32] = APART) -> NDArray:
    return ItemSimilarity.of(histories, FILMS, catalogue).to_all(movie, histories, franchises)


def described(**of_movie: tuple[str, str]) -> Catalogue:
    rows = [of_movie.get(f"film{movie}", (f"Film {movie}", "")) for movie in FILMS]
    return Catalogue.of(FILMS, [title for title, _ in rows], [genres for _, genres in rows])


def test_chance_keeps_everyone_s_and_every_film_s_number_of_ratings() -> None:
    rng = np.random.default_rng(2)
    asked = 1 / (1 + np.exp(2 - rng.normal(0, 1, 60)[:, None] - rng.normal(0, 1, 40)))
    seen = rng.random(asked.shape) < asked
    x, y = chance(seen.sum(axis=1), seen.sum(axis=0))
    odds = np.outer(x, y)
    expected = odds / (1 + odds)
    assert np.allclose(expected.sum(axis=1), seen.sum(axis=1), rtol=0.04)
    assert np.allclose(expected.sum(axis=0), seen.sum(axis=0), rtol=0.04)


def test_no_one_rates_a_film_that_nobody_rated_nor_more_films_than_there_are() -> None:
    x, y = chance(np.array([3, 3]), np.array([2, 2, 2, 0]))
    assert y[3] == 0.0
    assert np.isfinite(x).all()
    assert np.outer(x, y)[:, :3].min() > 10.0


def test_the_formula_on_four_people() -> None:
    histories = rated({1: [0, 1], 2: [0, 1], 3: [2, 3], 4: [2, 3]})
    found = near(histories, NO_DESCRIPTION, 0)
    mean = PRIOR_WEIGHT * np.exp(PRIOR_LEVEL - 0.1)  # no year: as if a decade apart
    both, neither = (n + mean for n in (2.0, 0.0))
    expected = 2 * 0.5  # two raters, each with an even chance
    assert found[0] == 0.0
    assert found[1] == pytest.approx(both / (expected + PRIOR_WEIGHT) * np.exp(-1 / np.sqrt(both)), rel=1e-3)
    assert found[2] == pytest.approx(neither / (expected + PRIOR_WEIGHT) * np.exp(-1 / np.sqrt(neither)), rel=1e-3)


def test_a_film_that_everyone_rates_is_not_near_to_all() -> None:
    histories = rated({user: [0, 5, 1] if user % 4 == 0 else [5, 2 + user % 3] for user in range(1, 41)})
    found = near(histories, NO_DESCRIPTION, 0)
    assert found[1] > 1.0 > found[5]


def test_many_raters_outweigh_the_description_and_few_do_not() -> None:
    catalogue = described(film0=("One (1999)", "Drama"), film2=("Two (1999)", "Drama"), film1=("Far (1939)", "Western"))
    for times, nearest in ((1, 2), (20, 1)):
        company = {2 * n: [0, 1] for n in range(times)}
        others = {2 * n + 1: [2 + n % 4, 3] if n % 4 != 1 else [4, 5] for n in range(3 * times)}
        assert near(rated(company | others), catalogue, 0).argmax() == nearest


def test_an_unrated_film_is_near_to_its_franchise_then_its_genres_and_time() -> None:
    catalogue = described(
        film0=("Saga II (1999)", "Horror"),
        film1=("Saga (1969)", "Horror"),
        film2=("Cold (1998)", "Horror"),
        film3=("Old (1938)", "Horror"),
        film4=("Warm (1998)", "Comedy"),
    )
    histories = rated({1: [1, 2, 3, 4, 5], 2: [2, 3, 4, 5]})
    found = near(histories, catalogue, 0, np.array([0, 0, 1, 2, 3, 4], np.int32))
    assert np.argsort(-found)[:4].tolist() == [1, 2, 3, 4]
    assert FRANCHISE > 0


def test_arrays_carry_it_all() -> None:
    histories = rated({1: [0, 1], 2: [1, 2]})
    catalogue = described(film0=("One (1999)", "Drama|Comedy"))
    before = ItemSimilarity.of(histories, FILMS, catalogue)
    again = ItemSimilarity.from_arrays(before.arrays())
    assert again.to_all(0, histories, APART).tobytes() == before.to_all(0, histories, APART).tobytes()
    assert all(array.dtype.kind in "iuf" for array in before.arrays().values())
