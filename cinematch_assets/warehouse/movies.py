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
from cinematch_assets.warehouse.table_loads import record_features


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
        finish_loaded_file(connection, file, "movies", len(movies), rejected, kept=kept)
    return MoviesLoad(inserted=inserted, updated=updated, kept=kept)


@dataclass(frozen=True, slots=True)
class KnownMovies:
    """The ids of the catalogue, ascending, shape (m,), and the load of movies that they are from."""

    ids: NDArray[np.int32]
    load: int | None


def list_known_movies(connection: psycopg.Connection) -> KnownMovies:
    """Return every movieId of the catalogue."""
    rows = connection.execute(statement("movies/select_known_movies")).fetchall()
    return KnownMovies(np.array([movie for movie, _ in rows], np.int32), rows[0][1] if rows else None)


@dataclass(frozen=True, slots=True)
class StoredMovies:
    """The catalogue (movieId, title, genres), its features (m, 10), NaN where a movie has none, and its last load."""

    frame: pd.DataFrame
    features: NDArray[np.float32]
    load: int | None


def read_movies(connection: psycopg.Connection) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Return the catalogue (movieId, title, genres) and its features (m, 10), NaN where a movie has none."""
    stored = read_stored_movies(connection)
    return stored.frame, stored.features


def read_stored_movies(connection: psycopg.Connection) -> StoredMovies:
    """Return the catalogue with its features and the load of movies that it is from."""
    rows = connection.execute(statement("movies/select_movies")).fetchall()
    frame = pd.DataFrame([row[:3] for row in rows], columns=["movieId", "title", "genres"])
    features = np.full((len(rows), FEATURES), np.nan, np.float32)
    for position, (_, _, _, stored, _) in enumerate(rows):
        if stored is not None:
            features[position] = json.loads(stored)
    return StoredMovies(frame.astype({"movieId": np.int32}), features, rows[0][-1] if rows else None)


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


def stored_numbers(numbers: Iterable[float]) -> list[float]:
    """Return features as they are stored: with six decimals.

    A feature's standard deviation is about 1, and 60k movies have to fit the seed's 5 MB. Postgres' JSON has no
    negative zero.
    """
    return [round(number, 6) + 0.0 for number in numbers]


def write_features(
    connection: psycopg.Connection,
    fitted: Mapping[str, Any] | None,
    explained_variance: float,
    features: Iterable[tuple[int, list[float] | None]],
    *,
    basis: str | None = None,
    known_movies: int | None = None,
) -> int:
    """Store each movie's ten numbers, in one transaction with the basis if one was ``fitted``; return rows changed.

    Args:
        connection: autocommit; the transaction is opened here.
        fitted: a new basis; None when the features are on a stored one.
        explained_variance: of the new basis.
        features: (movieId, numbers or None for a movie without genres).
        basis: version of the basis that the features are on; by default the fitted one's.
        known_movies: the load of movies that the features are of.
    """
    rows = list(features)
    values = {
        "ids": [movie for movie, _ in rows],
        "features": [None if numbers is None else json.dumps(stored_numbers(numbers)) for _, numbers in rows],
    }
    with connection.transaction():
        lock(connection, "movies")
        if fitted is not None:
            connection.execute(
                statement("movies/insert_genre_basis"),
                {"version": fitted["version"], "basis": Jsonb(dict(fitted)), "explained_variance": explained_variance},
            )
        changed = connection.execute(statement("movies/update_movie_features"), values).rowcount
        if version := basis or (fitted and fitted["version"]):
            record_features(connection, str(version), known_movies)
    return changed
