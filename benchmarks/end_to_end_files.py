"""The files of a synthetic platform: a catalogue of real titles where there is one, ratings, and a batch that drifted.

Users choose by popularity and taste, as in ``recommender.data``. There are as many users and movies as in MovieLens:
162,000 and 62,000 at 25 million ratings. For ``end_to_end``; made once a size, and kept.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys
from cinematch_assets.samples.simulate import WEEK_S
from cinematch_assets.samples.synthetic import LAST_RATING, MAX_RATINGS, NOISE_STD, SyntheticSpec, Truth, make_synthetic
from cinematch_assets.samples.tables import TableWriter

MOVIES_OF_LARGEST = 62_000
BATCH_SHARE = 0.04
DRIFT = 0.6
"""Stars by which the batch's expected ratings are above the history's mean, before the scale cuts them off at 5."""
BATCH = "batch_w1"
_FACTS = "facts.json"


@dataclass(frozen=True, slots=True)
class Files:
    """``movies.csv``, ``ratings.csv`` and ``batches/batch_w1.csv`` in a folder, and how many of what is in them."""

    folder: Path
    ratings: int
    users: int
    movies: int
    real_titles: int
    batch: int

    def lay_out(self, drive: Path) -> None:
        """Copy what is there before any batch, as old as it is: a new file would count as being written."""
        drive.mkdir(parents=True, exist_ok=True)
        for table in ("movies", "ratings"):
            shutil.copy2(self.folder / f"{table}.csv", drive)

    def lay_out_batch(self, drive: Path) -> None:
        """Copy the batch."""
        (drive / "batches").mkdir(exist_ok=True)
        shutil.copy2(self.folder / "batches" / f"{BATCH}.csv", drive / "batches")


def spec_of_size(ratings: int) -> SyntheticSpec:
    """Return users and movies as in MovieLens, who choose by popularity and taste."""
    movies = max(40, round(MOVIES_OF_LARGEST * (ratings / MAX_RATINGS) ** 0.55))
    users = max(1, ratings // 154, -(-ratings // (movies // 3)))
    return SyntheticSpec(users, movies, ratings, rank=32, preference=1.0, decay=0.5)


def make_files(cache: Path, ratings: int, titles: Path | None) -> Files:
    """Return the files of a size, made unless they are in ``cache``; ``titles``: a file of movies as MovieLens has."""
    folder = cache / f"{ratings}{'' if titles is None else '-titles'}"
    if not (folder / _FACTS).exists():
        (folder / "batches").mkdir(parents=True, exist_ok=True)
        (folder / _FACTS).write_text(json.dumps(_write(folder, spec_of_size(ratings), titles)))
    return Files(folder, ratings, **json.loads((folder / _FACTS).read_text()))


def _write(folder: Path, spec: SyntheticSpec, titles: Path | None) -> dict[str, int]:
    ratings, catalogue, truth = make_synthetic(spec)
    batch = drifted_batch(ratings, truth, round(BATCH_SHARE * spec.ratings))
    real = None if titles is None else _read_titles(titles)
    named = catalogue if real is None else with_titles(catalogue, real)
    ids = named["movieId"].to_numpy(np.int32)  # of the generator's movies 1, 2, 3 ...
    with TableWriter(folder / "movies.csv") as file:
        file.write(named)
    for name, rows in (("ratings.csv", ratings), (f"batches/{BATCH}.csv", batch)):
        with TableWriter(folder / name) as file:
            file.write(rows.assign(movieId=ids[rows["movieId"].to_numpy() - 1]))
    titled = 0 if real is None else min(len(real), len(named))
    return {"users": spec.users, "movies": spec.movies, "real_titles": titled, "batch": len(batch)}


def _read_titles(path: Path) -> pd.DataFrame:
    read = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    return read[["movieId", "title", "genres"]].sort_values("movieId", ignore_index=True)


def with_titles(catalogue: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Return the catalogue with the first rows replaced by real movies, and the ids of the others above theirs."""
    real = real.iloc[: len(catalogue)]
    rest = catalogue.iloc[len(real) :]
    above = int(real["movieId"].max()) + 1 + np.arange(len(rest))
    return pd.concat([real, rest.assign(movieId=above)], ignore_index=True).astype({"movieId": np.int32})


def drifted_batch(ratings: pd.DataFrame, truth: Truth, rows: int, *, seed: int = 1) -> pd.DataFrame:
    """Draw ratings of pairs that the history does not have, in the week after it, ``DRIFT`` stars above its mean.

    Users and movies are drawn in proportion to their ratings.
    """
    rng = np.random.default_rng(seed)
    users, movies = _new_pairs(rng, ratings["userId"].to_numpy(), ratings["movieId"].to_numpy(), rows)
    scores = truth.scores(users, movies).astype(np.float64)
    shift = float(ratings["rating"].mean()) + DRIFT - scores.mean()
    noisy = scores + shift + rng.normal(0, NOISE_STD, rows)
    batch = pd.DataFrame(
        {
            "userId": users,
            "movieId": movies,
            "rating": np.clip(np.rint(noisy * 2) / 2, 0.5, 5.0).astype(np.float32),
            "timestamp": LAST_RATING + rng.integers(0, WEEK_S, rows),
        }
    )
    return batch.sort_values(["timestamp", "userId", "movieId"], kind="stable", ignore_index=True)


def _new_pairs(
    rng: np.random.Generator, users: NDArray[np.int32], movies: NDArray[np.int32], rows: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    rated = np.sort(pair_keys(users, movies))
    drawn = np.empty(0, dtype=rated.dtype)
    while len(drawn) < rows:
        chosen = users[rng.integers(0, len(users), 2 * rows)], movies[rng.integers(0, len(movies), 2 * rows)]
        keys = pair_keys(*chosen)
        place = np.minimum(np.searchsorted(rated, keys), len(rated) - 1)
        drawn = np.unique(np.concatenate([drawn, keys[rated[place] != keys]]))
    kept = rng.permutation(drawn)[:rows]
    return (kept >> 32).astype(np.int32), (kept & 0xFFFFFFFF).astype(np.int32)
