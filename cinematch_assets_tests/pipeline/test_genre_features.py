"""Genre features of all movies, on a basis that is fitted once."""

from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import MOVIES, load_table, rows_of

THREE = "1,Heat (1995),Action|Crime\n2,Alien (1979),Horror|Sci-Fi\n3,Clue (1985),Comedy|Crime\n"
FEATURES = "SELECT movieid, pca_features FROM movies ORDER BY movieid"


def test_each_movie_with_genres_gets_ten_numbers_and_the_others_null(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + THREE + "4,Unknown (2000),(no genres listed)\n")
    projected = project_movies(platform)
    assert projected.rows_changed == 3
    assert [features and len(features) for _, features in rows_of(platform, FEATURES)] == [10, 10, 10, None]
    metadata = projected.as_metadata()
    assert (metadata["movies_with_features"], metadata["movies_without_genres"], metadata["rows_changed"]) == (3, 1, 3)


def test_a_new_movie_is_projected_on_the_stored_basis(platform: Platform) -> None:
    load_table(platform, "movies", MOVIES + THREE)
    first = project_movies(platform)
    before = dict(rows_of(platform, FEATURES))
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
