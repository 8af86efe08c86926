from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.samples.sample import SampleError
from cinematch_assets.samples.simulate import (
    DEMO_DRIFTS,
    WEEK_S,
    next_batch_id,
    simulate_batch,
    simulate_into,
    weekly_rows,
)
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic, write_synthetic

# The platform's thresholds (drift rules): relative mean, relative sample std, Kolmogorov-Smirnov distance.
THRESHOLDS = {"rating_mean": 0.10, "rating_std": 0.15, "rating_distribution_ks": 0.05}


def drift_statistics(baseline: pd.Series, new: pd.Series) -> dict[str, float]:
    stars = np.arange(0.5, 5.1, 0.5)
    below = [np.searchsorted(np.sort(ratings), stars, side="right") / len(ratings) for ratings in (baseline, new)]
    return {
        "rating_mean": abs(new.mean() - baseline.mean()) / baseline.mean(),
        "rating_std": abs(new.std() - baseline.std()) / baseline.std(),
        "rating_distribution_ks": float(np.abs(below[0] - below[1]).max()),
    }


def over_threshold(baseline: pd.Series, new: pd.Series) -> set[str]:
    return {name for name, value in drift_statistics(baseline, new).items() if value > THRESHOLDS[name]}


@pytest.fixture(scope="module")
def history() -> tuple[pd.DataFrame, np.ndarray]:
    ratings, movies, _ = make_synthetic(SyntheticSpec.of_size(60_000, seed=1))
    return ratings, movies["movieId"].to_numpy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_synthetic(tmp_path, SyntheticSpec.of_size(30_000, seed=2))
    return tmp_path


@pytest.mark.parametrize("rows", [2_000, 6_000])
@pytest.mark.parametrize("whole_stars", [False, True])
def test_without_drift_no_batch_crosses_a_threshold(
    history: tuple[pd.DataFrame, np.ndarray], rows: int, whole_stars: bool
) -> None:
    ratings, movie_ids = history
    if whole_stars:  # as in MovieLens 100K, where half stars alone would be drift
        ratings = ratings.assign(rating=np.ceil(ratings["rating"]))
    for seed in range(3):
        batch = simulate_batch(ratings, movie_ids, rows=rows, seed=seed)
        assert over_threshold(ratings["rating"], batch["rating"]) == set()
        assert set(batch["rating"]) <= set(ratings["rating"])


@pytest.mark.parametrize("drift", [0.5, -0.5, 0.2, 1.0])
def test_drift_shifts_the_mean_by_the_requested_stars(history: tuple[pd.DataFrame, np.ndarray], drift: float) -> None:
    ratings, movie_ids = history
    batch = simulate_batch(ratings, movie_ids, rows=6_000, drift=drift, seed=4)
    assert batch["rating"].mean() - ratings["rating"].mean() == pytest.approx(drift, abs=0.04)
    assert set(batch["rating"]) <= set(np.arange(0.5, 5.1, 0.5))


def test_the_demos_last_batch_and_no_other_is_over_the_thresholds(folder: Path) -> None:
    baseline = pd.read_csv(folder / "ratings.csv")["rating"]
    batches = [simulate_into(folder, drift=drift, rows=2_000) for drift in DEMO_DRIFTS]
    over = [over_threshold(baseline, pd.read_csv(batch.path)["rating"]) for batch in batches]
    assert over == [set(), set(), {"rating_mean", "rating_distribution_ks"}]


def test_a_batch_is_new_pairs_of_known_users_and_movies(history: tuple[pd.DataFrame, np.ndarray]) -> None:
    ratings, movie_ids = history
    earlier = simulate_batch(ratings, movie_ids, rows=4_000, seed=1)
    batch = simulate_batch(ratings, movie_ids, earlier=earlier, rows=4_000, seed=1)
    together = pd.concat([ratings, earlier, batch])
    assert not together.duplicated(["userId", "movieId"]).any()
    assert batch["userId"].isin(ratings["userId"]).all()
    assert batch["movieId"].isin(movie_ids).all()
    assert len(batch) == 4_000


def test_a_batch_is_in_the_week_after_the_newest_rating(history: tuple[pd.DataFrame, np.ndarray]) -> None:
    ratings, movie_ids = history
    earlier = simulate_batch(ratings, movie_ids, rows=1_000, seed=1)
    later = simulate_batch(ratings, movie_ids, earlier=earlier, rows=1_000, seed=2)
    for before, after in ((ratings, earlier), (earlier, later)):
        newest = before["timestamp"].max()
        assert after["timestamp"].between(newest + 1, newest + WEEK_S).all()
        assert after["timestamp"].is_monotonic_increasing


def test_active_users_and_popular_movies_stay_so(history: tuple[pd.DataFrame, np.ndarray]) -> None:
    ratings, movie_ids = history
    batch = simulate_batch(ratings, movie_ids, rows=6_000, seed=0)
    for column in ("userId", "movieId"):
        counts = pd.DataFrame({"before": ratings[column].value_counts(), "now": batch[column].value_counts()}).fillna(0)
        assert counts["before"].corr(counts["now"]) > 0.6


def test_users_choose_movies_by_taste() -> None:
    """Even users have rated nearly only even movies, odd users odd ones; all movies are about as popular."""
    rng = np.random.default_rng(3)
    users, movies = rng.integers(1, 601, 40_000), rng.integers(0, 150, 40_000) * 2
    astray = rng.random(len(users)) < 0.05
    ratings = pd.DataFrame(
        {
            "userId": users.astype(np.int32),
            "movieId": (movies + 2 - (users + astray) % 2).astype(np.int32),
            "rating": rng.integers(1, 6, len(users)).astype(np.float32),
            "timestamp": np.arange(len(users)),
        }
    ).drop_duplicates(["userId", "movieId"])
    batch = simulate_batch(ratings, np.arange(1, 301, dtype=np.int32), rows=2_000, seed=1)
    assert (batch["userId"] % 2 == batch["movieId"] % 2).mean() > 0.55  # by popularity alone .39, since most are rated


def test_users_and_movies_keep_their_biases(history: tuple[pd.DataFrame, np.ndarray]) -> None:
    ratings, movie_ids = history
    batch = simulate_batch(ratings, movie_ids, rows=20_000, drift=0.5, seed=0)
    for column in ("userId", "movieId"):
        means = pd.DataFrame(
            {name: frame.groupby(column)["rating"].mean() for name, frame in (("a", ratings), ("b", batch))}
        )
        often = batch[column].value_counts()
        assert means.loc[often[often >= 20].index].corr().loc["a", "b"] > 0.6


def test_the_same_seed_gives_the_same_batch(history: tuple[pd.DataFrame, np.ndarray]) -> None:
    ratings, movie_ids = history
    one, same, other = (simulate_batch(ratings, movie_ids, rows=500, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_simulating_into_a_folder_writes_the_next_batch(folder: Path) -> None:
    first = simulate_into(folder)
    second = simulate_into(folder, drift=0.5, rows=300)
    assert [path.name for path in sorted((folder / "batches").iterdir())] == ["batch_w1.csv", "batch_w2.csv"]
    assert (first.batch_id, first.rows, second.rows) == ("batch_w1", 1_290, 300)
    written = pd.read_csv(second.path)
    assert list(written.columns) == ["userId", "movieId", "rating", "timestamp"]
    assert second.mean == pytest.approx(written["rating"].mean())
    assert second.baseline_mean == pytest.approx(pd.read_csv(folder / "ratings.csv")["rating"].mean(), abs=1e-4)


@pytest.mark.parametrize(
    ("existing", "following"),
    [([], "batch_w1"), (["batch_w1", "batch_w9", "batch_w10"], "batch_w11"), (["extra", "batch_wx"], "batch_w1")],
)
def test_the_next_batch_has_the_next_number(existing: list[str], following: str) -> None:
    assert next_batch_id(existing) == following


def test_a_week_has_as_many_ratings_as_in_the_seed() -> None:
    assert (weekly_rows(1_000_000), weekly_rows(100)) == (43_000, 1_000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"drift": 2.0}, r"A drift of \+2 asks for a mean of 5\.\d\d stars, and the ratings lie between 0\.5 and 5\."),
        ({"drift": -4.0}, "A drift of -4 asks for a mean"),
        ({"rows": 0}, "cannot have 0 rows"),
        ({"rows": 10_000_000}, "too few unrated pairs"),
        ({"ratings": pd.DataFrame({"userId": [], "movieId": [], "rating": [], "timestamp": []})}, "no ratings"),
        ({"movie_ids": np.array([999_999])}, "no rating is of a movie in the catalogue"),
    ],
)
def test_an_impossible_batch_is_refused_with_the_reason(
    history: tuple[pd.DataFrame, np.ndarray], changes: dict[str, object], reason: str
) -> None:
    arguments = {"ratings": history[0], "movie_ids": history[1], "rows": 100} | changes
    with pytest.raises(SampleError, match=reason):
        simulate_batch(arguments.pop("ratings"), arguments.pop("movie_ids"), **arguments)


def test_with_a_rating_model_pairs_and_ratings_follow_its_expectations(
    history: tuple[pd.DataFrame, np.ndarray],
) -> None:
    ratings, movie_ids = history
    is_low = dict.fromkeys(movie_ids[::2].tolist(), 2.0)

    def expect(users: np.ndarray, movies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([is_low.get(movie, 4.0) for movie in movies.tolist()]), np.full(len(users), 0.3)

    batch = simulate_batch(ratings, movie_ids, rows=4_000, seed=0, rating_model=expect)
    low = batch["movieId"].isin(is_low.keys())
    assert batch.loc[~low, "rating"].mean() - batch.loc[low, "rating"].mean() > 1.0
    assert over_threshold(ratings["rating"], batch["rating"]) == set()
