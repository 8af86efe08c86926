"""What reading a file ends in: accepted and rejected rows, or a refusal.

Here: the types, and the sentence that a refusal says. Not here: how rows are judged (``verdicts``) or found
(``csv_file``, ``parquet_file``).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.values import RejectedRow

REASONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class RejectionLimit:
    """How much of a file may be rejected before all of it is: a share of its rows."""

    share: float = 0.05

    def exceeded(self, rejected: int, rows: int) -> bool:
        """Whether ``rejected`` of ``rows`` is too much."""
        return rejected > self.share * rows


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read: ``rows_read == len(accepted) + len(rejected)``, always.

    ``columns`` are the names in the order of ``raw_row``, which a released row needs to be read again.
    """

    file: str
    rows_read: int
    accepted: pd.DataFrame
    rejected: tuple[RejectedRow, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The numbers behind a refusal; a file whose rows were not reached has none."""

    rows_read: int = 0
    rejected: tuple[RejectedRow, ...] = ()
    columns: tuple[str, ...] = field(default=())


class FileRefused(CinematchError):
    """A file of which nothing may be used; the message says why, in one sentence.

    ``rows_read`` and ``rejected`` are what had been seen when it was refused: all of the file, unless it is so large
    and so bad that the rest could not have saved it.
    """

    def __init__(self, file: str, why: str, refusal: Refusal | None = None) -> None:
        super().__init__(f"{file}: {why}")
        refusal = refusal or Refusal()
        self.file = file
        self.rows_read = refusal.rows_read
        self.rejected = refusal.rejected
        self.columns = refusal.columns


def reason_counts(rejected: Sequence[RejectedRow]) -> Counter[str]:
    """How many rows each reason rejected; a row with two reasons counts for both."""
    return Counter(reason for row in rejected for reason in row.reasons)


def over_limit(file: str, refusal: Refusal, limit: RejectionLimit, *, whole: bool) -> FileRefused:
    """The refusal of a file with too many rejected rows; ``whole`` says whether all of its rows were read."""
    bad, rows = len(refusal.rejected), refusal.rows_read
    common = reason_counts(refusal.rejected).most_common(REASONS_SHOWN)
    of = f"{rows:,} rows" if whole else f"the first {rows:,} rows"
    return FileRefused(
        file,
        f"{bad:,} of {of} do not fit ({bad / rows:.1%}, {limit.share:.1%} allowed): "
        + ", ".join(f"{reason} ({count:,})" for reason, count in common),
        refusal,
    )
