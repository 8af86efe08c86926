"""Landed files into their tables: read, judged, and loaded whole or refused whole.

Here: ``movies``, ``ratings`` and batches. Not here: what a good row is (``schemas``), how it is written
(``warehouse``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.movies import read_movies
from cinematch_assets.reading.ratings import read_ratings
from cinematch_assets.reading.results import FileRefused, Reading, RejectionLimit
from cinematch_assets.splitting import is_test
from cinematch_assets.warehouse.batches import (
    BatchLoad,
    confirm_batch,
    fail_batch,
    load_batch,
    start_batch,
    stored_batch,
)
from cinematch_assets.warehouse.landed_files import Counts, LandedFile, newest_landed, refuse_file
from cinematch_assets.warehouse.movies import MoviesLoad, known_movies, load_movies
from cinematch_assets.warehouse.ratings import RatingsLoad, load_ratings
from cinematch_assets.warehouse.rejected_rows import remember_columns

ROWS_KEPT_OF_A_REFUSED_FILE = 100_000
"""Of a refused file so many bad rows are stored at most: all of it lies in the store, and the budget is 512 MB."""


Load = TypeVar("Load")


@dataclass(frozen=True, slots=True)
class TableLoad(Generic[Load]):
    """A file's three numbers, and what they did to the table; ``load`` is None when the content was in it already."""

    file: LandedFile
    counts: Counts
    load: Load | None


def load_movies_file(platform: Platform) -> TableLoad[MoviesLoad]:
    """Upsert the newest landed ``movies`` file."""
    with platform.warehouse.connect() as connection:
        file = newest_landed(connection, "movies")
        if file.is_loaded:
            return TableLoad(file, _known_counts(file), None)
        reading = _read(platform, file, "movies", lambda path, limit: read_movies(path, limit=limit, name=file.path))
        load = load_movies(connection, reading.accepted, file, reading.rejected)
    return TableLoad(file, _counts(reading), load)


def load_ratings_file(platform: Platform) -> TableLoad[RatingsLoad]:
    """Replace the rows of the ratings file by those of the newest landed one, each with its ``data_split``."""
    with platform.warehouse.connect() as connection:
        file = newest_landed(connection, "ratings")
        if file.is_loaded:
            return TableLoad(file, _known_counts(file), None)
        movies = known_movies(connection)
        if len(movies) == 0:
            raise CinematchError(f"{file.path}: the catalogue is empty: materialize movies before ratings")
        reading = _read(
            platform,
            file,
            "ratings",
            lambda path, limit: read_ratings(path, known_movies=movies, limit=limit, name=file.path),
        )
        test = is_test(reading.accepted, platform.settings.split)
        load = load_ratings(connection, reading.accepted, test, file, reading.rejected)
    return TableLoad(file, _counts(reading), load)


def load_batch_file(platform: Platform, batch_id: str) -> TableLoad[BatchLoad]:
    """Make the tables hold the newest landed content of a batch; ``ingestion_metadata`` says how it went.

    Raises:
        CinematchError: the batch is marked ``failed`` with the same sentence, and no row of the content is visible.
    """
    with platform.warehouse.connect() as connection:
        file = newest_landed(connection, f"batches/{batch_id}")
        held = stored_batch(connection, batch_id)
        if held is not None and held.md5 == file.md5:
            confirm_batch(connection, held, file)
            return TableLoad(file, _known_counts(file), BatchLoad(batch_id, held.place, 0, 0, held.rows))
        start_batch(connection, batch_id, file)
        movies = known_movies(connection)
    try:
        reading = _read(
            platform,
            file,
            "ratings_buffer",
            lambda path, limit: read_ratings(path, known_movies=movies, limit=limit, name=file.path),
            batch_id,
        )
        with platform.warehouse.connect() as connection:
            load = load_batch(connection, batch_id, reading.accepted, file, reading.rejected)
    except CinematchError as fault:
        with platform.warehouse.connect() as connection:
            fail_batch(connection, batch_id, str(fault), file)
        raise
    return TableLoad(file, _counts(reading), load)


def _read(
    platform: Platform,
    file: LandedFile,
    table: str,
    reader: Callable[[Path, RejectionLimit], Reading],
    batch_id: str | None = None,
) -> Reading:
    """Read a landed file; if it is refused, the ledger and the quarantine say so before the error goes on."""
    try:
        with platform.store.path(file.store_key) as path:
            reading = reader(path, RejectionLimit(platform.settings.max_rejected_share))
    except FileRefused as refused:
        rejected = refused.rejected[:ROWS_KEPT_OF_A_REFUSED_FILE]
        bad = len(refused.rejected)
        with platform.warehouse.connect() as connection:
            refuse_file(
                connection,
                file,
                table,
                rejected,
                counts=Counts(refused.rows_read, refused.rows_read - bad, bad),
                note=str(refused),
                batch_id=batch_id,
            )
        raise
    with platform.warehouse.connect() as connection:
        remember_columns(connection, file.path, file.md5, reading.columns)
    return reading


def _counts(reading: Reading) -> Counts:
    return Counts(reading.rows_read, len(reading.accepted), len(reading.rejected))


def _known_counts(file: LandedFile) -> Counts:
    return Counts(file.rows_read or 0, file.rows_accepted or 0, file.rows_rejected or 0)
