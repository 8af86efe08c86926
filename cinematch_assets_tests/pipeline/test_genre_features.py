"""Genre features of all movies, on a basis that stays once a model was trained on it."""

from itertools import combinations

import pytest

from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import MOVIES, given_candidate, load_table, rows_of

THREE = "1,Heat (1995),Action|Crime\n2,Alien (1979),Horror|Sci-Fi\n3,Clue (1985),Comedy|Crime\n"
GENRES = ("Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Sci-Fi")
FEATURES = "SELECT movieid, pca_features FROM movies ORDER BY movieid"


def test_each_movie_with_genres_gets_ten_numbers_and_the_others_null(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + THREE + "4,Unknown (2000),(no genres listed)\n")
    projected = project_movies(platform)
    assert projected.rows_changed == 3
    assert [features and len(features) for _, features in rows_of(platform, FEATURES)] == [10, 10, 10, None]
    metadata = projected.as_metadata()
    assert (metadata["movies_with_features"], metadata["movies_without_genres"], metadata["rows_changed"]) == (3, 1, 3)
    assert projected.explained_by_feature[:3] == pytest.approx(sorted(projected.explained_by_feature, reverse=True)[:3])
    assert sum(projected.explained_by_feature) == pytest.approx(projected.features.explained_variance)


def test_a_new_movie_is_projected_on_the_stored_basis(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + THREE)
    first = project_movies(platform)
    before = dict(rows_of(platform, FEATURES))
    given_candidate(platform, "run0")
    load_table(platform, "movies", MOVIES + THREE + "4,Ronin (1998),Action|Crime\n")
    second = project_movies(platform)
    after = dict(rows_of(platform, FEATURES))
    assert second.rows_changed == 1
    assert second.features.basis_version == first.features.basis_version
    assert {movie: after[movie] for movie in before} == before
    assert after[4] == after[1]


def test_a_basis_without_genres_is_fitted_again_when_there_are_some(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + "1,Heat (1995),(no genres listed)\n")
    assert project_movies(platform).rows_changed == 0
    load_table(platform, "movies", MOVIES + THREE)
    assert project_movies(platform).rows_changed == 3


def test_a_first_catalogue_is_not_for_ever(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + "1,Heat (1995),Action|Crime\n")
    tiny = project_movies(platform)
    load_table(platform, "movies", MOVIES + THREE)
    grown = project_movies(platform)
    assert grown.features.basis_version != tiny.features.basis_version
    assert len({str(features) for _, features in rows_of(platform, FEATURES)}) == 3
    again = project_movies(platform)
    assert (again.rows_changed, again.as_metadata()["basis_is_new"]) == (0, False)


def test_a_basis_that_was_trained_on_changes_by_command_alone(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + "1,Heat (1995),Action|Crime\n")
    first = project_movies(platform).features.basis_version
    given_candidate(platform, "run1")
    load_table(platform, "movies", MOVIES + THREE)
    assert project_movies(platform).features.basis_version == first
    second = project_movies(platform, refit=True)
    assert second.features.basis_version != first
    assert (second.former_basis, second.as_metadata()["basis_is_new"]) == (first, True)
    assert project_movies(platform).features.basis_version == second.features.basis_version
    given_candidate(platform, "run2")
    versions = rows_of(platform, "SELECT genre_basis FROM ops.model_versions ORDER BY ordinal")
    assert versions == [(first,), (second.features.basis_version,)]


def test_genres_separated_by_commas_are_genres(platform: Platform) -> None:
    commas = [f'{n},Movie {n},"{a}, {b}"\n' for n, (a, b) in enumerate(combinations(GENRES, 2), start=1)]
    load_table(platform, "movies", MOVIES + "".join(commas))
    assert rows_of(platform, "SELECT genres FROM movies WHERE movieid = 1") == [("Action|Comedy",)]
    projected = project_movies(platform)
    assert projected.advice == ""
    assert len({str(features) for _, features in rows_of(platform, FEATURES)}) == len(commas)


def test_genres_that_are_almost_all_unique_are_said_to_be(platform: Platform) -> None:
    rows = (f"{n},Movie {n},['Genre {n}' 'Drama']\n" for n in range(1, 41))
    load_table(platform, "movies", MOVIES + "".join(rows))
    metadata = project_movies(platform).as_metadata()
    assert metadata["genres"].startswith("40 genres for 40 movies, such as")
    assert "almost all unique" in metadata["genres"]
