"""The catalogue: table ``movies``, its features, and the basis they stand on.

Here: upserts and reads. Not here: how genres become numbers (``features``).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from cinematch_assets.movielens import FEATURES
from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.landed_files import LandedFile, finish_loaded_file
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import scalar, single_row, statement


@dataclass(frozen=True, slots=True)
class MoviesLoad:
    """What an upsert did: new rows, changed rows, and rows that the file no longer has, which stay."""

    inserted: int
    updated: int
    kept: int


def load_movies(
    connection: psycopg.Connection, movies: pd.DataFrame, file: LandedFile, rejected: Sequence[RejectedRow] = ()
) -> MoviesLoad:
    """Upsert the catalogue file. ``movies`` has columns movieId, title, genres; a missing genre is NULL."""
    genres = movies["genres"].astype(object).where(movies["genres"].notna(), None)
    values = {"ids": movies["movieId"].tolist(), "titles": movies["title"].tolist(), "genres": genres.tolist()}
    with connection.transaction():
        lock(connection, "movies")
        inserted, updated, kept = single_row(connection, "movies/upsert_movies", **values)
        finish_loaded_file(connection, file, "movies", len(movies), rejected)
    return MoviesLoad(inserted=inserted, updated=updated, kept=kept)


def list_known_movies(connection: psycopg.Connection) -> NDArray[np.int32]:
    """Every movieId of the catalogue, ascending, shape (m,)."""
    rows = connection.execute(statement("movies/select_known_movies")).fetchall()
    return np.array([movie for (movie,) in rows], np.int32)


def read_movies(connection: psycopg.Connection) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Return the catalogue (movieId, title, genres) and its features (m, 10), NaN where a movie has none."""
    rows = connection.execute(statement("movies/select_movies")).fetchall()
    frame = pd.DataFrame([row[:3] for row in rows], columns=["movieId", "title", "genres"])
    features = np.full((len(rows), FEATURES), np.nan, np.float32)
    for position, (*_, stored) in enumerate(rows):
        if stored is not None:
            features[position] = json.loads(stored)
    return frame.astype({"movieId": np.int32}), features


@dataclass(frozen=True, slots=True)
class StoredBasis:
    """The genre basis in force, as it was stored, and whether a model was trained on its features."""

    content: dict[str, Any]
    is_trained_on: bool


def read_stored_basis(connection: psycopg.Connection) -> StoredBasis | None:
    """Return the genre basis in force, or None before the first one."""
    row = connection.execute(statement("movies/select_genre_basis")).fetchone()
    return None if row is None else StoredBasis(dict(row[0]), bool(row[1]))


def count_unprojected_movies(connection: psycopg.Connection) -> int:
    """Count the movies whose features have to be computed."""
    return int(scalar(connection, "movies/count_unprojected_movies"))


def write_features(
    connection: psycopg.Connection,
    fitted: Mapping[str, Any] | None,
    explained_variance: float,
    features: Iterable[tuple[int, list[float] | None]],
) -> int:
    """Store each movie's ten numbers, in one transaction with the basis if one was ``fitted``; return rows changed.

    Six decimals are kept: a feature's standard deviation is about 1, and 60k movies have to fit the seed's 5 MB.
    """
    rows = list(features)
    values = {
        "ids": [movie for movie, _ in rows],
        "features": [None if numbers is None else json.dumps([round(n, 6) for n in numbers]) for _, numbers in rows],
    }
    with connection.transaction():
        if fitted is not None:
            connection.execute(
                statement("movies/insert_genre_basis"),
                {"version": fitted["version"], "basis": Jsonb(dict(fitted)), "explained_variance": explained_variance},
            )
        return connection.execute(statement("movies/update_movie_features"), values).rowcount
