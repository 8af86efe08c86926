"""The movie collection in ``netflix.movies``: each movie once, however many files have it.

Here: which row a file's movie becomes, and writing rows, quarantine and ledger together. Not here: the queue
(``collection_ledger``), reading files (``reading.collection``), which movie of the catalogue a title is (``matching``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple, TypeVar
from uuid import UUID, uuid4

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray

from cinematch_assets.plurals import count
from cinematch_assets.values import RejectedMovie, RejectedRow
from cinematch_assets.warehouse.collection_ledger import FetchedFile, Outcome, finish_files, take_fetched
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.movies import read_movies
from cinematch_assets.warehouse.rejected_rows import replace_rejected_rows, storable
from cinematch_assets.warehouse.statements import scalar, statement

Result = TypeVar("Result")


class Movie(NamedTuple):
    """A movie by the columns that identify it; the rating has one decimal, as in the table."""

    title: str
    genre: str
    rating: Decimal | None
    year: int | None


@dataclass(frozen=True, slots=True)
class CollectionLoad:
    """What a load did to the table and to its files."""

    inserted: int
    updated: int
    deleted: int
    loaded: int
    quarantined: int
    failed: int


@dataclass(slots=True)
class Plan:
    """Rows to write, and for each file the row of each of its movies, None where one was never valid."""

    inserts: dict[UUID, Movie] = field(default_factory=dict)
    updates: dict[UUID, Movie] = field(default_factory=dict)
    deletes: set[UUID] = field(default_factory=set)
    rows: dict[str, tuple[UUID | None, ...]] = field(default_factory=dict)


def movies_by_file(accepted: pd.DataFrame) -> dict[str, dict[int, Movie]]:
    """Turn a frame (file_id, row_number, title, genre, rating, year) into movies by file and their number in it."""
    found: dict[str, dict[int, Movie]] = {}
    columns = ("file_id", "row_number", "title", "genre", "rating", "year")
    for file_id, number, title, genre, rating, year in accepted[list(columns)].itertuples(index=False, name=None):
        movie = Movie(str(title), str(genre), _one_decimal(rating), None if pd.isna(year) else int(year))
        found.setdefault(str(file_id), {})[int(number)] = movie
    return found


def _one_decimal(rating: float | None) -> Decimal | None:
    """Round as ``DECIMAL(3,1)`` does, half away from zero, so that a movie is recognized before it is written."""
    return None if pd.isna(rating) else Decimal(str(rating)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def load_collection(
    connection: psycopg.Connection,
    taken: Sequence[FetchedFile],
    accepted: pd.DataFrame,
    rejected: Sequence[RejectedMovie] = (),
    *,
    failures: Mapping[str, str] | None = None,
) -> CollectionLoad:
    """Write the movies of files that were taken from the ledger, and the outcome of each file.

    A changed file changes its row; a movie that another file has too gets a row of its own instead. Where a file, or
    one movie of it, is invalid now, the row of its last good content stays, and the ledger records it.

    Args:
        connection: in the transaction in which ``take_fetched`` was called.
        taken: the files.
        accepted: file_id, row_number, title, genre, rating, year; of any of these files, shape (n, 6).
        rejected: movies of these files that are invalid.
        failures: file id → why it could not be fetched.
    """
    failures = failures or {}
    read = [file for file in taken if file.file_id not in failures]
    movies = movies_by_file(accepted)
    bad: dict[str, list[RejectedRow]] = {}
    for each in rejected:
        bad.setdefault(each.file_id, []).append(each.row)
    lock(connection, "netflix.movies")
    wanted = sorted({movie for of_file in movies.values() for movie in of_file.values()}, key=str)
    former = [row for file in read for row in file.loaded_rows if row is not None]
    plan = plan_rows(read, movies, bad, _existing(connection, wanted), _shared(connection, former, read))
    _write(connection, plan)
    rows_by_content = {(file.path, file.md5): bad.get(file.file_id, ()) for file in read}
    replace_rejected_rows(connection, "netflix.movies", rows_by_content)
    outcomes = [_outcome(file, plan, movies, bad) for file in read]
    outcomes += [Outcome(file_id, "failed", reason) for file_id, reason in failures.items()]
    finish_files(connection, outcomes)
    states = [outcome.state for outcome in outcomes]
    return CollectionLoad(
        inserted=len(plan.inserts),
        updated=len(plan.updates),
        deleted=len(plan.deletes),
        loaded=states.count("loaded"),
        quarantined=states.count("quarantined"),
        failed=states.count("failed"),
    )


def plan_rows(
    files: Sequence[FetchedFile],
    movies: Mapping[str, Mapping[int, Movie]],
    bad: Mapping[str, Sequence[RejectedRow]],
    existing: Mapping[Movie, UUID],
    shared: set[UUID],
) -> Plan:
    """Decide which row each movie becomes.

    Args:
        files: those being loaded.
        movies: by file and number in it.
        bad: rejected movies by file; their numbers keep the rows they had.
        existing: movies that a row of the table has.
        shared: former rows of these files that files outside of this load have too.
    """
    plan, rows = Plan(), dict(existing)
    kept = {row for file in files for row in _kept(file, movies, bad).values()}
    taken = kept | shared | {rows[m] for of_file in movies.values() for m in of_file.values() if m in rows}
    for file in files:
        if not (new := movies.get(file.file_id)):
            continue  # no valid movie: its former rows stay
        numbers = _kept(file, movies, bad)
        for number, movie in sorted(new.items()):
            if movie not in rows:
                before = file.loaded_rows[number - 1] if number <= len(file.loaded_rows) else None
                if before is None or before in taken:
                    row = uuid4()
                    plan.inserts[row] = movie
                else:
                    row = before
                    plan.updates[row] = movie
                rows[movie] = row
                taken.add(row)
            numbers[number] = rows[movie]
        plan.rows[file.file_id] = tuple(numbers.get(n) for n in range(1, max(numbers) + 1))
    plan.deletes = {row for file in files for row in file.loaded_rows if row is not None} - taken
    return plan


def _kept(
    file: FetchedFile, movies: Mapping[str, Mapping[int, Movie]], bad: Mapping[str, Sequence[RejectedRow]]
) -> dict[int, UUID]:
    """The former rows that stay, by number: all of them if the file gave nothing good, or else those of bad movies."""
    numbers = {row.row_number for row in bad.get(file.file_id, ())}
    all_stay = not movies.get(file.file_id)
    former = enumerate(file.loaded_rows, start=1)
    return {number: row for number, row in former if row is not None and (all_stay or number in numbers)}


def _existing(connection: psycopg.Connection, movies: Sequence[Movie]) -> dict[Movie, UUID]:
    found = connection.execute(statement("collection/select_collection_rows"), _columns(movies)).fetchall()
    return {movies[number - 1]: row for number, row in found}


def _shared(connection: psycopg.Connection, rows: Sequence[UUID], files: Sequence[FetchedFile]) -> set[UUID]:
    if not rows:
        return set()
    values = {"rows": list(rows), "files": [file.file_id for file in files]}
    return {
        row for (row,) in connection.execute(statement("collection/select_shared_collection_rows"), values).fetchall()
    }


def _write(connection: psycopg.Connection, plan: Plan) -> None:
    for write, movies in (
        (statement("collection/update_collection_movies"), plan.updates),
        (statement("collection/insert_collection_movies"), plan.inserts),
    ):
        if movies:
            connection.execute(write, {"ids": list(movies), **_columns(list(movies.values()))})
    if plan.deletes:
        connection.execute(statement("collection/delete_collection_movies"), {"ids": list(plan.deletes)})


def _columns(movies: Sequence[Movie]) -> dict[str, list[object]]:
    return {
        "titles": [movie.title for movie in movies],
        "genres": [movie.genre for movie in movies],
        "ratings": [movie.rating for movie in movies],
        "years": [movie.year for movie in movies],
    }


def _outcome(
    file: FetchedFile,
    plan: Plan,
    movies: Mapping[str, Mapping[int, Movie]],
    bad: Mapping[str, Sequence[RejectedRow]],
) -> Outcome:
    good, faults = movies.get(file.file_id, {}), bad.get(file.file_id, ())
    first = f"row {faults[0].row_number}: {'; '.join(map(storable, faults[0].reasons))}" if faults else "has no movie"
    stay = "; the rows of its last good content stay" if file.loaded_md5 else ""
    if not good:
        return Outcome(file.file_id, "quarantined", first + stay)
    error = f"{len(faults):,} of {count(len(good) + len(faults), 'movie')} rejected, {first}{stay}" if faults else None
    return Outcome(file.file_id, "loaded", error, plan.rows[file.file_id])


@dataclass(frozen=True, slots=True)
class Match:
    """A title's movie in ``movies``; or None and the ``candidates`` that fit equally well."""

    id: UUID
    movie: int | None
    method: str
    score: float | None
    candidates: tuple[int, ...] = ()


def read_collection_titles(connection: psycopg.Connection) -> pd.DataFrame:
    """Return every movie of the collection: id, title, genre, rating (float), year (Int32)."""
    rows = connection.execute(statement("collection/select_collection_titles")).fetchall()
    frame = pd.DataFrame(rows, columns=["id", "title", "genre", "rating", "year"])
    return frame.astype({"rating": float, "year": "Int32"})


def write_matches(connection: psycopg.Connection, matches: Sequence[Match]) -> int:
    """Make ``netflix.movie_matches`` hold exactly these; return the rows that changed."""
    values = {
        "ids": [match.id for match in matches],
        "movies": [match.movie for match in matches],
        "methods": [match.method for match in matches],
        "scores": [match.score for match in matches],
        "candidates": ["{" + ",".join(map(str, match.candidates)) + "}" for match in matches],
    }
    with connection.transaction():
        lock(connection, "netflix.movies")
        stale = connection.execute(statement("collection/delete_stale_matches"), {"ids": values["ids"]}).rowcount
        return stale + connection.execute(statement("collection/upsert_movie_matches"), values).rowcount


def count_collection_duplicates(connection: psycopg.Connection) -> int:
    """Count rows of ``netflix.movies`` that repeat another row."""
    return int(scalar(connection, "collection/count_collection_duplicates"))


@dataclass(frozen=True, slots=True)
class CollectionContent:
    """What reading some fetched files gave; ``failures`` names, by file id, those that could not be opened."""

    accepted: pd.DataFrame
    rejected: Sequence[RejectedMovie]
    failures: Mapping[str, str]


def load_next_files(
    connection: psycopg.Connection, read: Callable[[Sequence[FetchedFile]], CollectionContent], limit: int
) -> CollectionLoad | None:
    """Load up to ``limit`` fetched files in one transaction; None when no file is left.

    The files' ledger rows are locked until the transaction ends: other workers get other files, and those of a killed
    worker are free again.

    Args:
        connection: autocommit; the transaction is opened here.
        read: returns the content of the files that it is given; it is called once, within the transaction.
        limit: number of files.
    """
    with connection.transaction():
        files = take_fetched(connection, limit)
        if not files:
            return None
        content = read(files)
        return load_collection(connection, files, content.accepted, content.rejected, failures=content.failures)


def update_matches(
    connection: psycopg.Connection, match: Callable[[pd.DataFrame, pd.DataFrame], tuple[Result, Sequence[Match]]]
) -> tuple[Result, int]:
    """Match the whole collection anew in one transaction, one process at a time.

    Returns the result of ``match`` and the number of rows that changed.

    Args:
        connection: autocommit; the transaction is opened here.
        match: from titles (id, title, genre, rating, year) and movies (as ``read_movies``) to a result and the matches.
    """
    with connection.transaction():
        lock(connection, "netflix.movie_matches")
        titles = read_collection_titles(connection)
        movies, _ = read_movies(connection)
        result, matches = match(titles, movies)
        return result, write_matches(connection, matches)


def read_available_movies(connection: psycopg.Connection) -> NDArray[np.int32]:
    """Return the movieIds of the catalogue that the collection has, ascending, shape (m,)."""
    rows = connection.execute(statement("collection/select_available_movies")).fetchall()
    return np.array([movie for (movie,) in rows], np.int32)
