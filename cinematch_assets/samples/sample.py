"""A data set as the platform reads it: ``movies.*`` and ``ratings.*`` in one folder, and its terms of use.

Here: the type, and the licences. Not here: choosing a set by name (``catalogue``), fetching it (``ml_100k``,
``ml_latest_small``, ``synthetic``, ``movielens_folder``).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cinematch_assets.errors import CinematchError
from cinematch_assets.table_names import choose_table_file

CITATION = (
    "F. M. Harper and J. A. Konstan (2015), The MovieLens Datasets: History and Context, ACM TiiS 5(4), 19:1-19:19."
)
MOVIELENS_100K_LICENCE = (
    "MovieLens 100K, GroupLens, University of Minnesota: for research, without implying endorsement, not to be "
    f"redistributed nor used commercially without their permission. Cite {CITATION}"
)
MOVIELENS_LATEST_LICENCE = (
    "MovieLens latest-small, GroupLens, University of Minnesota: for research, without implying endorsement, "
    f"redistributed only under the same conditions, not used commercially without their permission. Cite {CITATION}"
)
SYNTHETIC_LICENCE = "Synthetic ratings made by CineMatch: no person's data, free to use for anything."
MOVIELENS_FOLDER_LICENCE = (
    "MovieLens files from a folder: the terms are in the README that GroupLens ships with the set."
)


class SampleError(CinematchError):
    """A sample cannot be fetched or made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A data set on this machine, ready to be read."""

    name: str
    folder: Path  # holds movies.csv|parquet and ratings.csv|parquet
    licence: str  # one sentence and the citation
    note: str = ""  # how its files were read


def table_file(folder: Path, table: str) -> Path | None:
    """Return the file ``<table>.csv`` or ``<table>.parquet`` of a folder; None when there is neither.

    Raises:
        SeveralTableFilesError: Both are there.
    """
    names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    chosen = choose_table_file(names, table, str(folder))
    return folder / chosen if chosen else None


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
