"""A platform for a test: a folder to drop files into, a store, a migrated database.

Here: making one, dropping files, loading them. Not here: servers (``servers``), fixtures (``conftest``).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cinematch_assets.drive.opening import open_folder
from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import TableLoad, load_batch_file, load_movies_file, load_ratings_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.champion import promote
from cinematch_assets.warehouse.model_registry import Artifact, GateResult, register_candidate
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets.warehouse.warehouse import Warehouse

RATINGS = "userId,movieId,rating,timestamp\n"
MOVIES = "movieId,title,genres\n"


def make_platform(home: Path, url: str, **settings: str) -> Platform:
    """Make a platform under ``home``; a file dropped into its folder counts as completely written at once."""
    (home / "drive").mkdir(parents=True)
    return open_made_platform(home, url, **settings)


def open_made_platform(home: Path, url: str, **settings: str) -> Platform:
    """Open a platform that ``make_platform`` made, also in another process."""
    chosen = Settings.from_env({"CINEMATCH_HOME": str(home), "CINEMATCH_DATABASE_URL": url, **settings})
    return Platform(
        settings=chosen,
        folder=open_folder(str(home / "drive"), min_age_s=0),
        store=open_store(str(home / "store")),
        warehouse=Warehouse(url),
    )


def drop(platform: Platform, name: str, content: str | bytes | pd.DataFrame) -> Path:
    """Put a file into the platform's folder."""
    path = Path(platform.folder.spec) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def drop_history(platform: Platform, *, users: int = 200, movies: int = 150, share: float = 0.5) -> pd.DataFrame:
    """Put a small catalogue and history into the folder; return the ratings.

    Even users like even movies and odd users odd ones: a model beats the baselines, which know biases only, clearly and
    within a second.
    """
    rng = np.random.default_rng(1)
    user, movie = (
        grid.ravel() for grid in np.meshgrid(np.arange(1, users + 1), np.arange(1, movies + 1), indexing="ij")
    )
    rated = rng.random(len(user)) < share
    user, movie = user[rated], movie[rated]
    liked = np.where(user % 2 == movie % 2, 1.0, -1.0)
    stars = 3.2 + liked + rng.normal(0, 0.4, users + 1)[user] + rng.normal(0, 0.6, len(user))
    genre = np.where(np.arange(1, movies + 1) % 2 == 0, "Drama|War", "Comedy|Musical")
    ratings = pd.DataFrame(
        {
            "userId": user,
            "movieId": movie,
            "rating": np.clip(np.round(stars * 2) / 2, 0.5, 5.0),
            "timestamp": 1_000_000_000 + rng.integers(0, 10_000_000, len(user)),
        }
    )
    titles = [f"Film {number} ({1950 + number % 70})" for number in range(1, movies + 1)]
    drop(platform, "movies.csv", pd.DataFrame({"movieId": np.arange(1, movies + 1), "title": titles, "genres": genre}))
    drop(platform, "ratings.csv", ratings)
    return ratings


def load_table(platform: Platform, table: str, content: str | bytes | pd.DataFrame | None = None) -> TableLoad[Any]:
    """Land and load ``movies``, ``ratings`` or ``batches/<batch_id>``; ``content`` is put into the folder first."""
    if content is not None:
        drop(platform, f"{table}.csv", content)
    land_table(platform, table)
    if table == "movies":
        return load_movies_file(platform)
    if table == "ratings":
        return load_ratings_file(platform)
    return load_batch_file(platform, table.removeprefix("batches/"))


def insert_movies(platform: Platform, *movies: tuple[int, str]) -> None:
    """Put movies with these ids and titles into the catalogue, without a file."""
    with platform.warehouse.connect() as connection:
        for number, title in movies:
            connection.execute("INSERT INTO movies VALUES (%s, %s, 'Drama')", [number, title])


def take_in_history(platform: Platform) -> None:
    """Land and load ``movies`` and ``ratings`` from the folder, and project the movies."""
    for table in ("movies", "ratings"):
        load_table(platform, table)
    project_movies(platform)


def rows_of(platform: Platform, query: str) -> list[tuple[object, ...]]:
    """Run a query of the test's own."""
    with platform.warehouse.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def given_champion(
    platform: Platform,
    *,
    over: str | None = None,
    published: bool = True,
    artifact_format: int = FORMAT,
    data_size: int = 1,
) -> str:
    """Register and promote a version without a model, by default with recommendations; return it."""
    artifact = Artifact("models/x", "0" * 64, 1, artifact_format)
    gate_result = GateResult(1, 1, 1, "", {}, {})
    with platform.warehouse.connect() as connection:
        version = register_candidate(
            connection, "run00000", artifact, method="m", config={}, seed=0, data_size=data_size, batches=[]
        )
        promote(connection, version, artifact, gate_result, over=over, data_size=data_size, merge="merge")
        if published:
            rows = pd.DataFrame({"userId": [1], "rank": [1], "movieId": [10], "score": [0.5]})
            write_recommendations(connection, version, rows)
    return version


def given_candidate(platform: Platform, run: str, *, artifact_format: int = FORMAT) -> str:
    """Register a candidate without a model; return its version."""
    artifact = Artifact("models/x", "0" * 64, 1, artifact_format)
    return platform.warehouse.run(
        register_candidate, run, artifact, method="m", config={}, seed=0, data_size=1, batches=[]
    )
