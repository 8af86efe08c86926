"""A data set in the shape the platform reads: ``movies.*`` and ``ratings.*`` in one folder, and its terms.

Here: the type, the licences in a sentence each, and a folder that is whole or absent. Not here: where each set comes
from (a module each), nor picking one by name (``catalogue``).
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    """A sample that cannot be had, with the reason and what to do about it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A data set that lies on this machine, ready to be read."""

    name: str
    folder: Path  # holds movies.csv|parquet and ratings.csv|parquet
    licence: str  # one sentence and the citation


def table_file(folder: Path, table: str) -> Path | None:
    """The file ``<table>.csv`` or ``<table>.parquet`` of a folder; None when there is neither.

    Raises:
        SeveralTableFilesError: Both are there, and nothing says which one counts.
    """
    names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    chosen = choose_table_file(names, table, str(folder))
    return folder / chosen if chosen else None


def sha256_of(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes ``target`` when the block ends well and is removed when it does not.

    Two processes may fill the same target: the second to finish keeps what the first one put there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    filling = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield filling
        try:
            filling.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(filling, ignore_errors=True)
