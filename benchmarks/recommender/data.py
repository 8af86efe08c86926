"""The same rows for everyone: a random 70/30 split of each data set, as one file of arrays.

Here: fetching, splitting, keeping. Nothing here is committed: licences forbid passing the sets on.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.recommender.scale import LARGEST
from cinematch_assets.recommender.data import Catalogue, Ids, Ratings
from cinematch_assets.recommender.splits import random_split
from cinematch_assets.samples.ml_100k import fetch_ml_100k
from cinematch_assets.samples.ml_latest_small import fetch_ml_latest_small
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic

SEED = 42
TEST_SHARE = 0.3
LIKED = 4.0
MAX_RANKED_USERS = 10_000
"""Users that recommendations are asked for, the same for all contestants: some would need hours for 162,000."""

SYNTHETIC = {
    name: replace(spec, rank=32, preference=1.0, decay=0.5)
    for name, spec in {
        "1m": SyntheticSpec.of_size(1_000_000),
        "3m": SyntheticSpec.of_size(3_000_000),
        "24m": LARGEST,
    }.items()
}
AT_HAND = ("ml-25m-slice",)
"""Sets that are not downloaded: Parquet files in a folder of this name under ``CINEMATCH_TEST_DATA``."""

DATA = ("ml-100k", "ml-latest-small", *AT_HAND, *SYNTHETIC)
COLUMNS = {"userId": np.int32, "movieId": np.int32, "rating": np.float32, "timestamp": np.int64}


@dataclass(frozen=True)
class Prepared:
    """``folder`` holds ``split.npz`` (what contestants read) and ``movies.csv``."""

    name: str
    folder: Path
    train: Ratings
    test: Ratings
    catalogue: Catalogue
    about: str

    @property
    def large(self) -> bool:
        """Too large for peers that cost the square of something."""
        return len(self.train) > 200_000

    @property
    def huge(self) -> bool:
        """So large that some contestants need more than half an hour."""
        return len(self.train) > 5_000_000

    @property
    def ranked_users(self) -> Ids:
        """Users with a liked test movie, ascending; a random draw of them where there are too many."""
        users = np.unique(self.test.users[self.test.ratings >= LIKED])
        if len(users) <= MAX_RANKED_USERS:
            return users
        return np.sort(np.random.default_rng(SEED).choice(users, MAX_RANKED_USERS, replace=False))


def prepare(name: str, cache: Path) -> Prepared:
    """The split of one data set. MovieLens comes from the folder ``CINEMATCH_TEST_DATA`` where it is there."""
    return _prepared(name, *(_synthetic(name, cache) if name in SYNTHETIC else _movielens(name, cache)), cache)


def prepare_folder(folder: Path, cache: Path) -> Prepared:
    """The split of the MovieLens files in a folder; its name is the data set's. Times may be missing."""
    ratings, movies, _ = _read(folder)
    name = folder.resolve().name
    about = f"MovieLens files of {name}, {len(ratings):,} ratings of {len(np.unique(ratings.users)):,} users"
    return _prepared(name, ratings, movies, about, cache)


def _prepared(name: str, ratings: Ratings, movies: pd.DataFrame, about: str, cache: Path) -> Prepared:
    split = random_split(ratings, TEST_SHARE, SEED)
    folder = cache / f"split-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    movies.to_csv(folder / "movies.csv", index=False)
    prepared = Prepared(name, folder, split.train, split.test, Catalogue.from_frame(movies), about)
    np.savez(
        folder / "split.npz",
        users=split.train.users,
        movies=split.train.movies,
        ratings=split.train.ratings,
        timestamps=split.train.timestamps,
        test_users=split.test.users,
        test_movies=split.test.movies,
        ranked_users=prepared.ranked_users,
        catalogue=np.sort(movies["movieId"].to_numpy()),
    )
    return prepared


def _synthetic(name: str, cache: Path) -> tuple[Ratings, pd.DataFrame, str]:
    """Ratings of users who choose by popularity and taste, kept as arrays: 24 million lines of text take minutes."""
    spec = SYNTHETIC[name]
    folder = cache / f"synthetic-{name}-taste-{spec.preference:g}-rank-{spec.rank}"
    if not (folder / "truth.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        ratings, movies, truth = make_synthetic(spec)
        movies.to_csv(folder / "movies.csv", index=False)
        for column, kind in COLUMNS.items():
            np.save(folder / f"{column}.npy", ratings[column].to_numpy(kind))
        (folder / "truth.json").write_text(json.dumps({"noise_floor_rmse": truth.noise_floor_rmse}))
    lowest_rmse = json.loads((folder / "truth.json").read_text())["noise_floor_rmse"]
    about = (
        f"synthetic, {spec.ratings:,} ratings of people who choose by popularity and taste (rank {spec.rank}, taste"
        f" {spec.preference:g}, decay {spec.decay:g}); no model can be under an RMSE of {lowest_rmse:.4f}"
    )
    rows = Ratings.of(*(np.load(folder / f"{column}.npy") for column in COLUMNS))
    return rows, pd.read_csv(folder / "movies.csv"), about


def _movielens(name: str, cache: Path) -> tuple[Ratings, pd.DataFrame, str]:
    at_hand = Path(os.environ.get("CINEMATCH_TEST_DATA", cache)) / name
    if name in AT_HAND:
        ratings, movies = (pd.read_parquet(at_hand / f"{table}.parquet") for table in ("ratings", "movies"))
        return Ratings.from_frame(ratings), movies, "MovieLens, real ratings"
    if name == "ml-100k":
        folder = fetch_ml_100k(cache).folder
    else:
        folder = at_hand if (at_hand / "ratings.csv").exists() else fetch_ml_latest_small(cache).folder
    return _read(folder)


def _read(folder: Path) -> tuple[Ratings, pd.DataFrame, str]:
    ratings, movies = (pd.read_csv(folder / f"{table}.csv") for table in ("ratings", "movies"))
    return Ratings.from_frame(ratings).latest(), movies, "MovieLens, real ratings"
