"""The same rows for everyone: a random 70/30 split of each data set, as one file of arrays.

Here: fetching, splitting, keeping. Nothing here is committed: licences forbid passing the sets on.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.splits import random_split
from cinematch_assets.samples.ml_100k import fetch_ml_100k
from cinematch_assets.samples.ml_latest_small import fetch_ml_latest_small
from cinematch_assets.samples.synthetic import SyntheticSpec, write_synthetic

SEED = 42
TEST_SHARE = 0.3
DATA = ("ml-100k", "ml-latest-small", "1m")


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


def prepare(name: str, cache: Path) -> Prepared:
    """The split of one data set. MovieLens comes from the folder ``CINEMATCH_TEST_DATA`` where it is there."""
    source, about = _source(name, cache)
    ratings = Ratings.from_frame(pd.read_csv(source / "ratings.csv"))
    movies = pd.read_csv(source / "movies.csv")
    split = random_split(ratings, TEST_SHARE, SEED)
    folder = cache / f"split-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    movies.to_csv(folder / "movies.csv", index=False)
    np.savez(
        folder / "split.npz",
        users=split.train.users,
        movies=split.train.movies,
        ratings=split.train.ratings,
        timestamps=split.train.timestamps,
        test_users=split.test.users,
        test_movies=split.test.movies,
        liked_by=np.unique(split.test.users[split.test.ratings >= 4]),
        catalogue=np.sort(movies["movieId"].to_numpy()),
    )
    return Prepared(name, folder, split.train, split.test, Catalogue.from_frame(movies), about)


def _source(name: str, cache: Path) -> tuple[Path, str]:
    if name == "1m":
        folder = cache / "synthetic-1m"
        if not (folder / "truth.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_synthetic(folder, SyntheticSpec.of_size(1_000_000))
        floor = json.loads((folder / "truth.json").read_text())["noise_floor_rmse"]
        return folder, f"synthetic, 1,000,000 ratings; no model can be under an RMSE of {floor:.4f}"
    if name == "ml-100k":
        return fetch_ml_100k(cache).folder, "MovieLens, real ratings"
    at_hand = Path(os.environ.get("CINEMATCH_TEST_DATA", cache)) / name
    folder = at_hand if (at_hand / "ratings.csv").exists() else fetch_ml_latest_small(cache).folder
    return folder, "MovieLens, real ratings"
