"""Let rejected rows in, when they fit now: because the catalogue has grown, or a person has corrected them.

Here: reading them by the same rules as any file, and putting them where their file's rows are. Not here: the rules
(``schemas``), the transaction (``warehouse.rejected_rows``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import psycopg

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.released import reread_movies, reread_ratings
from cinematch_assets.reading.results import Reading
from cinematch_assets.splitting import is_test
from cinematch_assets.warehouse.movies import known_movies
from cinematch_assets.warehouse.rejected_rows import QuarantinedRow, read_rejected_rows
from cinematch_assets.warehouse.release import existing_pairs, release_movies, release_ratings

ALREADY_THERE = "the table has a rating of this user and movie"


@dataclass(frozen=True, slots=True)
class Released:
    """How many rows went in, how many stay, and why those do."""

    released: int
    kept: int
    reasons: dict[str, int]


def release_rows(
    platform: Platform, ids: Sequence[int], *, path: str | None = None, correction: str | None = None
) -> Released:
    """Read the rows of ``ids``, or all of a file, once more; ``correction`` replaces the text of a single row.

    Raises:
        CinematchError: nothing is named or found, or the file's rows are not in a table.
    """
    if not ids and path is None:
        raise CinematchError("name the ids of rows in cinematch rejects list, or a file with --path")
    if correction is not None and len(ids) != 1:
        raise CinematchError("--correct is the new text of one row: name exactly one id")
    with platform.warehouse.connect() as connection:
        rows = read_rejected_rows(connection, path=path, ids=ids)
        if not rows:
            raise CinematchError(f"no such row is held: {path or ', '.join(map(str, ids))}")
        released, reasons = 0, Counter[str]()
        for _, group in groupby(rows, key=lambda row: (row.path, row.md5)):
            held = list(group)
            _require_loaded(held[0])
            went, why = _release_content(platform, connection, held, correction)
            released += went
            reasons.update(why)
    return Released(released, len(rows) - released, dict(reasons.most_common()))


def _release_content(
    platform: Platform, connection: psycopg.Connection, rows: list[QuarantinedRow], correction: str | None
) -> tuple[int, list[str]]:
    texts = [correction] if correction is not None else [row.raw_row for row in rows]
    columns = rows[0].columns or []
    if rows[0].table_name == "movies":
        reading = reread_movies(texts, columns)
    else:
        reading = reread_ratings(texts, columns, known_movies=known_movies(connection))
    fitting, reasons = _fitting(rows, reading)
    accepted = reading.accepted
    if rows[0].table_name == "movies":
        if fitting:
            release_movies(connection, fitting, accepted)
        return len(fitting), reasons
    free = ~existing_pairs(connection, rows[0].batch_id, accepted)
    fitting = [row for row, fits in zip(fitting, free.tolist(), strict=True) if fits]
    accepted = accepted[free]
    if fitting:
        batch = rows[0].batch_id is not None
        test = np.zeros(len(accepted), bool) if batch else is_test(accepted, platform.settings.split)
        release_ratings(connection, fitting, accepted, test)
    return len(fitting), reasons + [ALREADY_THERE] * int((~free).sum())


def _fitting(rows: Sequence[QuarantinedRow], reading: Reading) -> tuple[list[QuarantinedRow], list[str]]:
    """The held rows that were accepted now, in the order of the accepted frame, and the reasons of the others."""
    refused = {row.row_number for row in reading.rejected}
    fitting = [row for number, row in enumerate(rows, start=1) if number not in refused]
    return fitting, [reason for row in reading.rejected for reason in row.reasons]


def _require_loaded(row: QuarantinedRow) -> None:
    if row.file_state == "refused":
        raise CinematchError(f"{row.path} was refused whole: mend the file, nothing of it is in a table")
    if row.file_state == "collection":
        raise CinematchError(f"{row.path} is of the movie collection: mend the file, and the next run reads it again")
    if row.file_state != "loaded":
        raise CinematchError(f"row {row.id} is of a former {row.path}: the table holds a newer content")
    if row.columns is None:
        raise CinematchError(f"{row.path}: the order of its columns is not known; materialize its table again")
