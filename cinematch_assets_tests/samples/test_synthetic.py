import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.samples import synthetic
from cinematch_assets.samples.sample import SampleError
from cinematch_assets.samples.synthetic import SyntheticSpec, draw_distinct, make_synthetic, write_synthetic

SPEC = SyntheticSpec.of_size(60_000, seed=1)
WITH_PREFERENCE = replace(SPEC, rank=32, preference=1.0, decay=0.5)


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth]:
    return make_synthetic(SPEC)


@pytest.fixture(scope="module")
def with_preference() -> tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth]:
    return make_synthetic(WITH_PREFERENCE)


def rmse(ratings: pd.DataFrame, predicted: np.ndarray | float) -> float:
    return float(np.sqrt(((ratings["rating"] - predicted) ** 2).mean()))


def test_every_rating_is_one_that_the_platform_accepts(
    made: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth],
) -> None:
    ratings, movies, _ = made
    assert len(ratings) == SPEC.ratings
    assert not ratings.duplicated(["userId", "movieId"]).any()
    assert set(ratings["rating"]) == set(np.arange(0.5, 5.1, 0.5))
    assert sorted(ratings["userId"].unique()) == list(range(1, SPEC.users + 1))
    assert ratings["movieId"].isin(movies["movieId"]).all()
    assert ratings["timestamp"].between(synthetic.FIRST_RATING, synthetic.LAST_RATING).all()
    assert movies["title"].str.fullmatch(r"\w+ \w+, The \([0-9]{4}\)").all()


def test_the_ratings_look_like_movielens(made: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth]) -> None:
    ratings, _, _ = made
    assert 3.4 < ratings["rating"].mean() < 3.7
    assert 0.9 < ratings["rating"].std() < 1.15
    per_movie = ratings["movieId"].value_counts()
    assert per_movie.head(len(per_movie) // 10).sum() > 0.4 * len(ratings)  # a tenth of the movies, most of the ratings
    assert ratings["userId"].value_counts().min() >= 20


def test_the_noise_floor_is_what_the_best_prediction_reaches(
    made: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth],
) -> None:
    ratings, _, truth = made
    users, movies = ratings["userId"].to_numpy(), ratings["movieId"].to_numpy()
    best = truth.expected(users, movies)
    assert rmse(ratings, best) == pytest.approx(truth.noise_floor_rmse, rel=0.01)
    assert abs((ratings["rating"] - best).mean()) < 0.01
    biases_only = truth.mean + truth.user_bias[users - 1] + truth.movie_bias[movies - 1]
    assert rmse(ratings, best) < 0.96 * rmse(ratings, biases_only) < 0.9 * rmse(ratings, ratings["rating"].mean())


def test_genres_explain_part_of_the_factors(made: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth]) -> None:
    _, movies, truth = made
    genres = movies["genres"].str.get_dummies("|").to_numpy(float)
    fitted = genres @ np.linalg.lstsq(genres, truth.movie_factors, rcond=None)[0]
    assert (fitted**2).sum() / (truth.movie_factors**2).sum() > 0.4


def test_the_same_spec_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    content = []
    for number, seed in enumerate((5, 5, 6)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_synthetic(folder, SyntheticSpec.of_size(3_000, seed=seed))
        content.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert content[0] == content[1]
    assert content[0]["ratings.csv"] != content[2]["ratings.csv"]
    assert set(content[0]) == {"movies.csv", "ratings.csv", "truth.json"}


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_files_hold_what_frames_hold(tmp_path: Path, file_format: str) -> None:
    spec = SyntheticSpec.of_size(3_000, seed=2)
    progress: list[int] = []
    truth = write_synthetic(tmp_path, spec, file_format=file_format, progress=progress.append, chunk_rows=700)
    ratings, movies, same_truth = make_synthetic(spec, chunk_rows=700)
    read = pd.read_csv if file_format == "csv" else pd.read_parquet
    pd.testing.assert_frame_equal(read(tmp_path / f"ratings.{file_format}"), ratings, check_dtype=False)
    pd.testing.assert_frame_equal(read(tmp_path / f"movies.{file_format}"), movies, check_dtype=False)
    assert len(progress) > 1
    assert sum(progress) == 3_000
    assert truth.noise_floor_rmse == same_truth.noise_floor_rmse


@pytest.mark.parametrize("ratings", [1, 7, 100, 999, 5_000, 1_000_000, 25_000_000])
def test_each_size_has_feasible_numbers_of_users_and_movies(ratings: int) -> None:
    spec = SyntheticSpec.of_size(ratings)
    least, most = spec.ratings_per_user
    assert least <= ratings / spec.users <= most


@pytest.mark.parametrize("ratings", [1, 7, 100, 999])
def test_small_sizes_are_exact(ratings: int) -> None:
    made, _, _ = make_synthetic(SyntheticSpec.of_size(ratings))
    assert len(made) == ratings
    assert not made.duplicated(["userId", "movieId"]).any()


@pytest.mark.parametrize(("ratings", "users"), [(0, 1), (-5, 1), (26_000_000, 200_000), (1_000, 10)])
def test_a_size_that_cannot_be_made_is_refused(ratings: int, users: int) -> None:
    with pytest.raises(SampleError, match=r"^synthetic: .* ratings "):
        SyntheticSpec(users=users, movies=100, ratings=ratings)


def test_drawing_without_replacement_follows_the_weights() -> None:
    # Two of three items with weights 6, 3, 1: P(the third is left out) = 6/10 · 3/4 + 3/10 · 6/7.
    cdf = np.cumsum([6.0, 3.0, 1.0])
    drawn = draw_distinct(np.random.default_rng(0), np.full(40_000, 2), cdf).reshape(-1, 2)
    assert (drawn[:, 0] < drawn[:, 1]).all()
    without_third = (drawn == [0, 1]).all(axis=1).mean()
    assert without_third == pytest.approx(0.45 + 0.3 * 6 / 7, abs=0.01)


def test_drawing_as_many_items_as_there_are_gives_each_once() -> None:
    drawn = draw_distinct(np.random.default_rng(0), np.array([0, 3, 1]), np.cumsum([1.0, 1.0, 1e-4]))
    assert drawn[:3].tolist() == [0, 1, 2]
    assert len(drawn) == 4


def test_without_preference_the_bytes_are_fixed(tmp_path: Path) -> None:
    write_synthetic(tmp_path, SyntheticSpec.of_size(3_000, seed=5))
    marks = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in tmp_path.iterdir()}
    assert marks == {
        "movies.csv": "a40ddac92d1ea864",
        "ratings.csv": "7961406cf9711961",
        "truth.json": "2b4f6b3278f58e68",
    }


def test_users_with_preference_give_as_many_ratings_and_about_the_same_mean(
    with_preference: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth],
) -> None:
    ratings, _, truth = with_preference
    assert len(ratings) == WITH_PREFERENCE.ratings
    assert not ratings.duplicated(["userId", "movieId"]).any()
    assert ratings["rating"].mean() == pytest.approx(synthetic.MEAN, abs=0.15)
    best = truth.expected(ratings["userId"].to_numpy(), ratings["movieId"].to_numpy())
    assert rmse(ratings, best) == pytest.approx(truth.noise_floor_rmse, rel=0.01)


def test_users_with_preference_choose_movies_they_have_an_affinity_to(
    made: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth],
    with_preference: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth],
) -> None:
    def affinity(of: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth]) -> float:
        ratings, _, truth = of
        users, movies = ratings["userId"].to_numpy() - 1, ratings["movieId"].to_numpy() - 1
        interaction = np.einsum("nk,nk->n", truth.user_factors[users], truth.movie_factors[movies])
        return float(interaction.mean()) / synthetic.FACTOR_STD

    assert abs(affinity(made)) < 0.1
    assert 0.5 < affinity(with_preference) < 1.0  # 1 for a normal affinity; the catalogue is finite, and movies run out


def test_movies_are_drawn_by_popularity_times_preference() -> None:
    # One rating each of four movies: how often a movie is picked is its mean share of popularity · exp(preference · z).
    spec = SyntheticSpec(users=10_000, movies=4, ratings=10_000, rank=2, preference=0.7)
    ratings, _, truth = make_synthetic(spec)
    plain = make_synthetic(replace(spec, preference=0.0))[0]["movieId"].value_counts(normalize=True).sort_index()
    z = np.clip(truth.user_factors @ truth.movie_factors.T / synthetic.FACTOR_STD, -3, 3)
    weights = plain.to_numpy() * np.exp(spec.preference * z)
    expected = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
    drawn = ratings["movieId"].value_counts(normalize=True).sort_index().to_numpy()
    np.testing.assert_allclose(drawn, expected, atol=0.02)


def test_a_chosen_movie_does_not_depend_on_how_many_weights_are_in_memory() -> None:
    spec = replace(SyntheticSpec.of_size(3_000, seed=2), preference=1.0)
    in_one_block = make_synthetic(spec)[0]
    pd.testing.assert_frame_equal(make_synthetic(spec, max_weights=1)[0], in_one_block)


def test_factors_decay_when_the_spec_says_so(
    with_preference: tuple[pd.DataFrame, pd.DataFrame, synthetic.Truth],
) -> None:
    power = (with_preference[2].movie_factors ** 2).mean(axis=0)
    assert power[:4].sum() > 5 * power[-4:].sum()
    assert power.sum() == pytest.approx(WITH_PREFERENCE.rank * synthetic.FACTOR_STD**2, rel=0.5)
