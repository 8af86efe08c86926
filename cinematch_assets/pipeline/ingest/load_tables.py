"""Load landed files into their tables: each file is validated, then loaded or refused as one.

Here: ``movies``, ``ratings`` and batches. Not here: which rows are valid (``schemas``), how they are written
(``warehouse``).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.faults import Cause, cause_of
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.reading.movies import read_movies
from cinematch_assets.reading.ratings import UNKNOWN_MOVIE, read_ratings
from cinematch_assets.reading.results import FileRefused, Reading, RejectionLimit
from cinematch_assets.splitting import is_test
from cinematch_assets.warehouse.batches import (
    BatchLoad,
    confirm_batch,
    fail_batch,
    load_batch,
    read_stored_batch,
    start_batch,
)
from cinematch_assets.warehouse.landed_files import Counts, LandedFile, find_newest_landed, refuse_file
from cinematch_assets.warehouse.movies import KnownMovies, MoviesLoad, list_known_movies, load_movies
from cinematch_assets.warehouse.ratings import RatingsLoad, load_ratings
from cinematch_assets.warehouse.rejected_rows import remember_columns
from cinematch_assets.warehouse.suppressed_users import count_suppressed_users
from cinematch_assets.warehouse.table_loads import LoadRules

MAX_REFUSED_ROWS = 100_000
"""Rejected rows that are stored of a refused file: the complete file is in the store, and the budget is 512 MB."""

_LOG = logging.getLogger(__name__)


class EmptyCatalogueError(SurroundingsError):
    """Ratings are to be loaded before there is any movie."""


Load = TypeVar("Load", MoviesLoad, RatingsLoad, BatchLoad)


@dataclass(frozen=True, slots=True)
class TableLoad(Generic[Load]):
    """A file's row counts, and what loading it changed; ``load`` is None for movies and ratings that are unchanged."""

    file: LandedFile
    counts: Counts
    load: Load | None
    unchanged: bool = False
    """Whether this content was in the table before."""
    notes: tuple[str, ...] = ()

    def as_metadata(self) -> dict[str, Any]:
        """Return the row counts, whether nothing changed, and the changes of the table."""
        return {
            "rows_read": self.counts.read,
            "rows_accepted": self.counts.accepted,
            "rows_rejected": self.counts.rejected,
            "unchanged": self.unchanged,
            **({"notes": "; ".join(self.notes)} if self.notes else {}),
            **(_changes(self.load) if self.load else {}),
        }


def _changes(load: MoviesLoad | RatingsLoad | BatchLoad) -> dict[str, Any]:
    match load:
        case MoviesLoad():
            return {"inserted": load.inserted, "updated": load.updated, "kept": load.kept}
        case RatingsLoad():
            return {"inserted": load.train + load.test, "deleted": load.deleted}
        case BatchLoad():
            return {"place": load.place, "inserted": load.inserted, "deleted": load.deleted}


def load_movies_file(platform: Platform) -> TableLoad[MoviesLoad]:
    """Upsert the newest landed ``movies`` file."""
    file = platform.warehouse.run(find_newest_landed, "movies")
    if file.is_loaded:
        return TableLoad(file, _known_counts(file), None, unchanged=True)
    reading = _read(platform, file, "movies", lambda path, limit: read_movies(path, limit=limit, name=file.path))
    with log_phase(_LOG, f"write {count(len(reading.accepted), 'movie')}"):
        load = platform.warehouse.run(load_movies, reading.accepted, file, reading.rejected)
    return TableLoad(file, _counts(reading), load, notes=reading.notes)


def load_ratings_file(platform: Platform) -> TableLoad[RatingsLoad]:
    """Replace the rows of the ratings file by those of the newest landed one, each with its ``data_split``.

    Raises:
        EmptyCatalogueError: there are no movies yet.
        FileRefused: the file is refused; for movies that the catalogue lacks, until it has more.
    """
    with platform.warehouse.session() as session:
        suppressed = session.run(count_suppressed_users)
        file = session.run(find_newest_landed, "ratings")
        if file.is_loaded:
            return TableLoad(file, _known_counts(file), None, unchanged=True)
        movies = session.run(list_known_movies)
    if len(movies.ids) == 0:
        raise EmptyCatalogueError(f"{file.path}: the catalogue is empty: materialize movies before ratings")
    reading = _read(platform, file, "ratings", _ratings_reader(file, movies), at_movies=len(movies.ids))
    rules = LoadRules(movies.load, platform.settings.split)
    test = is_test(reading.accepted, platform.settings.split)
    with log_phase(_LOG, f"write {count(len(reading.accepted), 'rating')}"):
        load = platform.warehouse.run(
            load_ratings, reading.accepted, test, file, reading.rejected, platform.actor, suppressed, rules=rules
        )
    return TableLoad(file, _counts(reading), load, notes=reading.notes)


def load_batch_file(platform: Platform, batch_id: str) -> TableLoad[BatchLoad]:
    """Load the newest landed content of a batch and record the outcome in ``ingestion_metadata``.

    Raises:
        CinematchError: no row of the content is visible. For a fault of the content the batch is marked ``failed`` with
            the same message; for one of the surroundings it stays ``in_progress``.
    """
    with platform.warehouse.session() as session:
        suppressed = session.run(count_suppressed_users)
        file = session.run(find_newest_landed, f"batches/{batch_id}")
    if file.state == "removed":
        load = BatchLoad(batch_id, "deleted", 0, 0, 0)
        note = f"this content was removed: cinematch batches restore {batch_id} loads it again"
        return TableLoad(file, _known_counts(file), load, unchanged=True, notes=(note,))
    return load_batch_content(platform, batch_id, file, suppressed)


def load_batch_content(
    platform: Platform, batch_id: str, file: LandedFile, suppressed: int, *, restored: str | None = None
) -> TableLoad[BatchLoad]:
    """Load a landed content of a batch.

    Args:
        platform: whose store holds it.
        batch_id: the batch.
        file: the content.
        suppressed: how many users were erased before it was looked up; see ``suppressed_users.require_suppressed``.
        restored: why a content that was removed is loaded again.

    Raises:
        CinematchError: as ``load_batch_file``.
    """
    with platform.warehouse.session() as session:
        stored = session.run(read_stored_batch, batch_id)
        if stored is not None and stored.md5 == file.md5 and restored is None:
            session.run(confirm_batch, stored, file)
            load = BatchLoad(batch_id, stored.place, 0, 0, stored.rows)
            return TableLoad(file, _known_counts(file), load, unchanged=True)
        session.run(start_batch, batch_id, file)
        movies = session.run(list_known_movies)
    try:
        reading = _read(
            platform, file, "ratings_buffer", _ratings_reader(file, movies), batch_id, at_movies=len(movies.ids)
        )
        with log_phase(_LOG, f"write {count(len(reading.accepted), 'rating')} of {batch_id}"):
            load = platform.warehouse.run(
                load_batch,
                batch_id,
                reading.accepted,
                file,
                reading.rejected,
                platform.actor,
                suppressed,
                rules=LoadRules(movies.load),
                restored=restored,
            )
    except CinematchError as error:
        if cause_of(error) is Cause.CONTENT:  # otherwise it goes on by itself, and stays in_progress
            platform.warehouse.run(fail_batch, batch_id, str(error), file)
        raise
    return TableLoad(file, _counts(reading), load, notes=reading.notes)


FileReader = Callable[[Path, RejectionLimit], Reading]


def _ratings_reader(file: LandedFile, movies: KnownMovies) -> FileReader:
    return lambda path, limit: read_ratings(path, known_movies=movies.ids, limit=limit, name=file.path)


def _read(
    platform: Platform,
    file: LandedFile,
    table: str,
    reader: FileReader,
    batch_id: str | None = None,
    *,
    at_movies: int | None = None,
) -> Reading:
    """Read a landed file; when it is refused, record that and its rejected rows before the error is raised.

    ``at_movies`` is the size of the catalogue that its rows are checked against.
    """
    limit = RejectionLimit(platform.settings.max_rejected_share)
    try:
        with log_phase(_LOG, f"read {file.path}"), platform.store.path(file.store_key) as path:
            reading = reader(path, limit)
    except FileRefused as refused:
        rejected = len(refused.rejected)
        platform.warehouse.run(
            refuse_file,
            file,
            table,
            refused.rejected[:MAX_REFUSED_ROWS],
            counts=Counts(refused.rows_read, refused.rows_read - rejected, rejected),
            note=str(refused),
            batch_id=batch_id,
            at_movies=at_movies if _lacked_movies(refused, limit) else None,
        )
        raise
    platform.warehouse.run(remember_columns, file.path, file.md5, reading.columns)
    return reading


def _lacked_movies(refused: FileRefused, limit: RejectionLimit) -> bool:
    """Return whether the file would be accepted if the catalogue had all its movies."""
    others = sum(row.reasons != (UNKNOWN_MOVIE,) for row in refused.rejected)
    return 0 < len(refused.rejected) != others and not limit.exceeded(others, refused.rows_read)


def _counts(reading: Reading) -> Counts:
    return Counts(reading.rows_read, len(reading.accepted), len(reading.rejected))


def _known_counts(file: LandedFile) -> Counts:
    return Counts(file.rows_read or 0, file.rows_accepted or 0, file.rows_rejected or 0)
