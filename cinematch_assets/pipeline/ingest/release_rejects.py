"""Release rejected rows that are valid now, because the catalogue has grown or a person has corrected them.

Here: reading them by the same rules as any file, and choosing the table. Not here: the rules (``schemas``), the
transaction (``warehouse.release``).
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from cinematch_assets.drive.landing import LANDED_PREFIX
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.suppression import read_suppression
from cinematch_assets.reading.released import pack_released_rows, reread_movies, reread_ratings
from cinematch_assets.reading.results import Reading
from cinematch_assets.splitting import is_test
from cinematch_assets.storage.base import Store
from cinematch_assets.warehouse.movies import list_known_movies
from cinematch_assets.warehouse.rejected_rows import QuarantinedRow, read_rejected_rows
from cinematch_assets.warehouse.release import ReleaseReason, find_existing_pairs, release_movies, release_ratings
from cinematch_assets.warehouse.table_loads import LoadRules, ReleasedContent
from cinematch_assets.warehouse.warehouse import Session

RELEASED_PREFIX = f"{LANDED_PREFIX}released/"
"""Where the texts of released rows are in the store."""
PAIR_EXISTS = "the table has a rating of this user and movie"
USER_ERASED = "the user was erased"


@dataclass(frozen=True, slots=True)
class ReleasedRows:
    """Counts of rows that went into their table and of those that stay rejected, with the latter's reasons."""

    released: int
    kept: int
    reasons: dict[str, int]
    released_into: dict[tuple[str, str | None], int]
    """Rows by table and, for those of a batch, its name."""


def release_rows(
    platform: Platform,
    ids: Sequence[int],
    *,
    path: str | None = None,
    correction: str | None = None,
    reason: str | None = None,
) -> ReleasedRows:
    """Read the rows of ``ids``, or all of a file, once more; ``correction`` replaces the text of a single row.

    ``reason`` is for the audit.

    Raises:
        CinematchError: nothing is named or found, or the file's rows are not in a table.
    """
    if not ids and path is None:
        raise CinematchError("name the ids of rows in cinematch rejects list, or a file with --path")
    if correction is not None and len(ids) != 1:
        raise CinematchError("--correct is the new text of one row: name exactly one id")
    default = "valid now" if correction is None else "corrected by hand"
    why = ReleaseReason(platform.actor, reason or default, is_correction=correction is not None)
    with platform.warehouse.session() as session:
        rows = session.run(read_rejected_rows, path=path, ids=ids)
        if not rows:
            raise CinematchError(f"no rejected row of {path or 'id ' + ', '.join(map(str, ids))}: see rejects list")
        released, reasons = Counter[tuple[str, str | None]](), Counter[str]()
        for _, group in groupby(rows, key=lambda row: (row.path, row.md5)):
            of_file = list(group)
            _require_loaded(of_file[0])
            count, kept = _release_content(platform, session, of_file, correction, why)
            if count:
                released[_table(of_file[0]), of_file[0].batch_id] += count
            reasons.update(kept)
    total = released.total()
    return ReleasedRows(total, len(rows) - total, dict(reasons.most_common()), dict(released))


def _table(row: QuarantinedRow) -> str:
    """Where a file's rows belong; those of a batch stay its own when the batch is merged."""
    return "ratings_buffer" if row.batch_id is not None else row.table_name


def _release_content(
    platform: Platform, session: Session, rows: list[QuarantinedRow], correction: str | None, why: ReleaseReason
) -> tuple[int, list[str]]:
    """Release the valid ones of a file's rows; return their number, and the reasons of the others."""
    texts = [correction] if correction is not None else [row.raw_row for row in rows]
    columns = rows[0].columns or []
    if rows[0].table_name == "movies":
        reading = reread_movies(texts, columns)
        valid, reasons = _valid(rows, reading)
        if valid:
            kept = _keep_texts(platform, columns, valid, correction)
            session.run(release_movies, valid, reading.accepted, why, texts=kept)
        return len(valid), reasons
    movies = session.run(list_known_movies)
    reading = reread_ratings(texts, columns, known_movies=movies.ids)
    valid, reasons = _valid(rows, reading)
    suppression = read_suppression(platform)
    erased = suppression.of_people(reading.accepted["userId"].to_numpy(np.int64))
    exists = session.run(find_existing_pairs, rows[0].batch_id, reading.accepted) & ~erased
    new = ~(exists | erased)
    valid = [row for row, is_new in zip(valid, new.tolist(), strict=True) if is_new]
    accepted = reading.accepted[new]
    if valid:
        of_batch = rows[0].batch_id is not None
        test = np.zeros(len(accepted), bool) if of_batch else is_test(accepted, platform.settings.split)
        session.run(
            release_ratings,
            valid,
            accepted,
            test,
            why,
            suppression.known,
            texts=_keep_texts(platform, columns, valid, correction),
            rules=LoadRules(movies.load, None if of_batch else platform.settings.split),
        )
    return len(valid), reasons + [PAIR_EXISTS] * int(exists.sum()) + [USER_ERASED] * int(erased.sum())


def _keep_texts(
    platform: Platform, columns: Sequence[str], rows: Sequence[QuarantinedRow], correction: str | None
) -> ReleasedContent:
    lines = [correction] if correction is not None else [row.raw_row for row in rows]
    return keep_released_rows(platform.store, lines, columns)


def keep_released_rows(store: Store, lines: Sequence[str], columns: Sequence[str]) -> ReleasedContent:
    """Store the texts that are released, so that a model which is trained on them can be rebuilt."""
    content = pack_released_rows(lines, columns)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    texts = ReleasedContent(md5, f"{RELEASED_PREFIX}{md5}.json")
    store.put_bytes(texts.store_key, content)
    return texts


def _valid(rows: Sequence[QuarantinedRow], reading: Reading) -> tuple[list[QuarantinedRow], list[str]]:
    """Return the rows that were accepted now, in the order of the accepted frame, and the reasons of the others."""
    rejected = {row.row_number for row in reading.rejected}
    valid = [row for number, row in enumerate(rows, start=1) if number not in rejected]
    return valid, [reason for row in reading.rejected for reason in row.reasons]


def _require_loaded(row: QuarantinedRow) -> None:
    if row.file_state == "refused":
        raise CinematchError(f"{row.path} was refused: correct the file, nothing of it is in a table")
    if row.file_state == "collection":
        raise CinematchError(
            f"{row.path} belongs to the movie collection: correct the file, and the next run reads it again"
        )
    if row.file_state != "loaded":
        raise CinematchError(f"row {row.id} belongs to an earlier content of {row.path}: the table holds a newer one")
    if row.columns is None:
        raise CinematchError(f"{row.path}: the order of its columns is not known; materialize its table again")
