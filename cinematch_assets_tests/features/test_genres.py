import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.features.genres import (
    BasisRefusedError,
    GenreBasis,
    fit_genre_basis,
    project_genres,
)
from cinematch_assets_tests.support.real_data import find_data

GENRES = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Horror",
]
GENRES += ["IMAX", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"]


def make_catalogue(movies: int = 400, seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(len(GENRES)))
    genres = ["|".join(random.choice(GENRES, random.integers(1, 5), replace=False, p=weights)) for _ in range(movies)]
    return pd.DataFrame({"movieId": np.arange(1, movies + 1, dtype=np.int32), "title": "A movie", "genres": genres})


@pytest.fixture(scope="module")
def catalogue() -> pd.DataFrame:
    return make_catalogue()


@pytest.fixture(scope="module")
def basis(catalogue: pd.DataFrame) -> GenreBasis:
    return fit_genre_basis(catalogue["genres"].tolist())


def test_two_genres_that_exclude_each_other_are_one_axis() -> None:
    basis = fit_genre_basis(["Comedy", "Drama", "Comedy", "Drama"])
    features = project_genres(pd.DataFrame({"movieId": [1, 2], "genres": ["Comedy", "Drama"]}), basis)
    assert basis.explained_variance.tolist() == pytest.approx([1.0] + [0.0] * 9)
    assert features.points[:, 0].tolist() == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)])
    assert not features.points[:, 1:].any()


def test_features_are_ten_single_precision_numbers_a_movie(catalogue: pd.DataFrame, basis: GenreBasis) -> None:
    features = project_genres(catalogue, basis)
    assert features.points.shape == (len(catalogue), 10)
    assert features.points.dtype == np.float32
    assert features.points.mean(axis=0) == pytest.approx(np.zeros(10), abs=1e-6)
    assert features.projected == len(catalogue)
    assert features.explained_variance > 0.6


def test_explained_variance_is_the_features_own(catalogue: pd.DataFrame, basis: GenreBasis) -> None:
    values = project_genres(catalogue, basis).points.astype(np.float64)
    all_axes = catalogue["genres"].str.get_dummies().to_numpy().var(axis=0).sum()
    assert values.var(axis=0) / all_axes == pytest.approx(basis.explained_variance, abs=1e-6)


def test_the_order_of_movies_and_of_genres_within_one_does_not_matter(
    catalogue: pd.DataFrame, basis: GenreBasis
) -> None:
    backwards = ["|".join(reversed(genres.split("|"))) for genres in reversed(catalogue["genres"].tolist())]
    assert fit_genre_basis(backwards).version == basis.version


def test_each_axis_points_to_its_largest_loading(basis: GenreBasis) -> None:
    largest = np.abs(basis.components).argmax(axis=1)
    assert (basis.components[np.arange(10), largest] > 0).all()


def test_new_movies_do_not_change_the_features_of_others(catalogue: pd.DataFrame, basis: GenreBasis) -> None:
    new_movie = pd.DataFrame({"movieId": [9_999], "title": ["New"], "genres": ["Western|War"]})
    before = project_genres(catalogue, basis).points
    after = project_genres(pd.concat([new_movie, catalogue]), basis)
    np.testing.assert_allclose(after.points[1:], before, rtol=1e-6, atol=1e-7)  # products of two shapes
    assert after.movie_ids[0] == 9_999


def test_a_movie_without_genres_has_null(basis: GenreBasis) -> None:
    movies = pd.DataFrame({"movieId": [1, 2, 3, 4], "genres": ["(no genres listed)", None, "", "Drama"]})
    features = project_genres(movies, basis)
    assert [values is None for _, values in features.rows()] == [True, True, True, False]
    assert features.as_metadata()["movies_without_genres"] == 3


def test_unknown_genres_are_counted_and_otherwise_ignored(basis: GenreBasis) -> None:
    movies = pd.DataFrame({"movieId": [1, 2, 3], "genres": ["Anime|Drama", "Anime", "Drama"]})
    features = project_genres(movies, basis)
    assert features.unknown_genres == {"Anime": 2}
    assert [values is None for _, values in features.rows()] == [False, True, False]
    np.testing.assert_allclose(features.points[0], features.points[2], rtol=1e-6, atol=1e-7)  # two rows of a product


def test_json_keeps_a_basis_to_the_last_bit(catalogue: pd.DataFrame, basis: GenreBasis) -> None:
    again = GenreBasis.from_dict(json.loads(json.dumps(basis.to_dict())))
    assert again.version == basis.version
    assert np.array_equal(project_genres(catalogue, again).points, project_genres(catalogue, basis).points)


def test_a_basis_whose_content_is_not_that_of_its_version_is_refused(basis: GenreBasis) -> None:
    stored = basis.to_dict()
    stored["mean"] = [0.5, *stored["mean"][1:]]
    with pytest.raises(BasisRefusedError, match=f"{basis.version} holds the content of genres_"):
        GenreBasis.from_dict(stored)


@pytest.mark.parametrize("genres", [[], [None, "(no genres listed)"]])
def test_a_catalogue_without_genres_gives_an_empty_basis(genres: list[str | None]) -> None:
    basis = GenreBasis.from_dict(fit_genre_basis(genres).to_dict())
    features = project_genres(pd.DataFrame({"movieId": [1], "genres": ["Drama"]}), basis)
    assert basis.is_empty
    assert list(features.rows()) == [(1, None)]


@pytest.mark.parametrize("genres", [["Drama"], ["Drama", "Drama"], ["Drama|War", "Comedy", "War"]])
def test_too_few_movies_are_padded_with_zeros(genres: list[str]) -> None:
    features = project_genres(pd.DataFrame({"movieId": range(len(genres)), "genres": genres}), fit_genre_basis(genres))
    assert np.isfinite(features.points).all()
    assert not features.points[:, 3:].any()
    assert 0.0 <= features.explained_variance <= 1.0 + 1e-9


def test_importing_features_does_not_import_scikit_learn() -> None:
    script = "import sys, cinematch_assets.features.genres; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_ml_latest_small_keeps_most_of_its_genres() -> None:
    movies = pd.read_csv(find_data("ml-latest-small") / "movies.csv")
    features = project_genres(movies, fit_genre_basis(movies["genres"].tolist()))
    assert features.projected == 9_708  # 34 of the 9,742 movies list no genres
    assert 0.75 < features.explained_variance < 1.0


def test_a_basis_survives_a_store_without_negative_zero() -> None:
    basis = GenreBasis(("Crime",), np.zeros(1), np.full((10, 1), -0.0), np.zeros(10))
    stored = json.loads(json.dumps(basis.to_dict()).replace("-0.0", "0.0"))
    assert GenreBasis.from_dict(stored).version == basis.version == stored["version"]
