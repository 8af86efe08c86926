"""Results of reading a file: accepted and rejected rows, or a refusal.

Here: the types, and the message of a refusal. Not here: validating rows (``validation``), finding them (``csv_file``,
``parquet_file``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.plurals import count
from cinematch_assets.values import RejectedRow

MAX_REASONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class RejectionLimit:
    """The share of rejected rows above which a file is refused."""

    share: float = 0.05
    max_rows: int = 2_000_000
    """Rejected rows above which a file is refused whatever its size: they are held in memory."""

    def exceeded(self, rejected: int, rows: int) -> bool:
        """Return whether ``rejected`` of ``rows`` is above the limit."""
        return rejected > self.share * rows


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read; always ``rows_read == len(accepted) + len(rejected)``.

    ``columns`` are the file's columns in the order of ``raw_row``; reading a released row again needs them.
    """

    file: str
    rows_read: int
    accepted: pd.DataFrame
    rejected: tuple[RejectedRow, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the table should know: an unusual separator, an encoding."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rows behind a refusal; none when the file was refused before its rows were read."""

    rows_read: int = 0
    rejected: tuple[RejectedRow, ...] = ()
    columns: tuple[str, ...] = field(default=())


class FileRefused(CinematchError):
    """A file of which nothing may be used; the message names the file and the reason.

    ``rows_read`` and ``rejected`` describe all of the file, except when it was refused before its end because the rest
    could not have brought it below the limit.
    """

    def __init__(self, file: str, why: str, refusal: Refusal | None = None) -> None:
        super().__init__(f"{file}: {why}")
        refusal = refusal or Refusal()
        self.file = file
        self.rows_read = refusal.rows_read
        self.rejected = refusal.rejected
        self.columns = refusal.columns


def count_reasons(rejected: Sequence[RejectedRow]) -> Counter[str]:
    """Count the rows that each reason rejected; a row with two reasons counts for both."""
    return Counter(reason for row in rejected for reason in row.reasons)


def over_limit_error(file: str, refusal: Refusal, limit: RejectionLimit, *, complete: bool) -> FileRefused:
    """Make the error for too many rejected rows; ``complete`` tells whether all rows were read."""
    bad, rows = len(refusal.rejected), refusal.rows_read
    common = count_reasons(refusal.rejected).most_common(MAX_REASONS_SHOWN)
    of = count(rows, "row") if complete else f"the first {count(rows, 'row')}"
    return FileRefused(
        file,
        f"{bad:,} of {of} do not fit ({bad / rows:.1%}, {limit.share:.1%} allowed): "
        + ", ".join(f"{reason} ({count:,})" for reason, count in common),
        refusal,
    )
