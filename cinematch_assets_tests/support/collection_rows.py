"""Files of a movie collection for tests, as a listing shows them and as ``reading`` hands their movies over."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import psycopg

from cinematch_assets.values import DriveFile, RejectedMovie, RejectedRow
from cinematch_assets.warehouse.collection_ledger import Fetch, Listing, record_fetches, record_listing
from cinematch_assets_tests.support.warehouse_rows import md5_of


def make_file(name: str, content: object) -> DriveFile:
    """A file whose md5 is that of its content."""
    text = repr(content)
    return DriveFile(name, f"Netflix_Movie_Collection/{name}.json", f"{name}.json", len(text), md5_of(text))


def make_rejected(file_id: str, number: int, raw: str, reason: str) -> RejectedMovie:
    """A movie of a file that did not fit."""
    return RejectedMovie(file_id, f"{file_id}.json", RejectedRow(number, raw, (reason,)))


def make_accepted(contents: dict[str, list[Any]]) -> pd.DataFrame:
    """The movies of files; None stands for one that was rejected."""
    rows = [
        (file, number, *movie)
        for file, movies in contents.items()
        for number, movie in enumerate(movies, start=1)
        if movie is not None
    ]
    frame = pd.DataFrame(rows, columns=["file_id", "row_number", "title", "genre", "rating", "year"])
    return frame.astype({"rating": "float64", "year": "Int32"})


def list_and_fetch(connection: psycopg.Connection, files: Sequence[DriveFile]) -> Listing:
    """Record a listing of files and that their contents are in the store."""
    listing = record_listing(connection, files)
    record_fetches(connection, [Fetch(file.id, file.md5, f"landed/{file.id}") for file in files])
    return listing


def read_rows_of_files(connection: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What each file's rows say, in the file's order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    query = """
        SELECT f.file_id, m.title, m.genre, m.rating::float, m.year
        FROM ops.drive_files f, unnest(f.loaded_rows) WITH ORDINALITY AS row(id, number)
        LEFT JOIN netflix.movies m ON m.id = row.id
        ORDER BY f.file_id, row.number
    """
    for file, *movie in connection.execute(query).fetchall():
        found.setdefault(file, []).append(tuple(movie))
    return found
