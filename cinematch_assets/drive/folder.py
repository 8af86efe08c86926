"""What a folder of dropped files is, whoever keeps it.

Here: the interface, its small types, how a table's file is found. Not here: how a local folder (``local``) or Google
Drive (``google``) does it, what is in the files (``reading``), where they are kept (``landing``).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.values import DriveFile, SkippedEntry

GOOGLE_PREFIX = "gdrive:"
MIN_AGE_S = 2.0
HIDDEN = "."
"""Files and folders whose names begin so are not seen: ``.DS_Store`` is nobody's movie."""
_TABLE_SUFFIXES = (".csv", ".parquet")


class DriveError(SurroundingsError):
    """The folder, or a file in it, cannot be read."""


class FileError(DriveError):
    """One file is the trouble; the others may be fine."""


class FileChangedError(FileError):
    """A file's content is no longer what the look at the folder saw; the next look sees the new one."""


class UnreachableError(DriveError):
    """Google does not answer as it should, after several attempts; later it may."""


class TokenError(DriveError):
    """A person has to sign in, or to grant more; no attempt will help before that."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """What one walk through the folder found, by path; a file missing here has not necessarily been deleted."""

    files: tuple[DriveFile, ...]
    skipped: tuple[SkippedEntry, ...]


class Folder(Protocol):
    """A folder of dropped files. May be used by several threads at once."""

    @property
    def spec(self) -> str:
        """What ``open_folder`` was given: the setting to look at when something is wrong."""

    def look(self, under: str = "", *, recursive: bool = True) -> FolderListing:
        """Walk the folder below ``under``; a sub-folder that is not there is an empty one.

        Raises:
            DriveError: the folder itself cannot be read.
        """

    def files(self, under: str = "") -> Iterator[DriveFile]:
        """Give the files of ``look``, when nobody asks what was left out."""

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Make ``target`` hold the file, checked against its size and md5, or leave it as it was.

        Raises:
            FileError: this file cannot be had, ``FileChangedError`` when another look may help.
            DriveError: the folder cannot be read.
            WriteError: ``target`` cannot be written.
        """


def find_table(folder: Folder, table: str, *, patience_s: float = 30.0) -> DriveFile:
    """Give the one CSV or Parquet file of ``table``, such as ``movies`` or ``batches/batch_w1``.

    A file still being written is waited for, up to ``patience_s``.

    Raises:
        FileError: there is none, more than one, or it is still being written.
    """
    deadline = time.monotonic() + patience_s
    while True:
        found, others = _candidates(folder, table)
        waiting = [entry for entry in others if entry.for_now]
        if not waiting or time.monotonic() >= deadline:
            return _the_one(folder, table, found, others)
        time.sleep(min(0.2, patience_s))


def _candidates(folder: Folder, table: str) -> tuple[list[DriveFile], list[SkippedEntry]]:
    wanted = PurePosixPath(table)
    parent = "" if wanted.parent == PurePosixPath() else str(wanted.parent)
    look = folder.look(parent, recursive=False)
    names = {f"{wanted.name}{suffix}" for suffix in _TABLE_SUFFIXES}
    found = [file for file in look.files if _plain(file.path) in names]
    others = [entry for entry in look.skipped if _plain(entry.path) in names | {wanted.name}]
    return found, others


def _plain(path: str) -> str:
    """Give the name with its suffix in lower case: ``movies.CSV`` is a CSV file too."""
    name = PurePosixPath(path)
    return f"{name.stem}{name.suffix.lower()}"


def _the_one(folder: Folder, table: str, found: list[DriveFile], others: list[SkippedEntry]) -> DriveFile:
    if others:
        raise FileError(f"{others[0].path} in {folder.spec}: {others[0].reason}.")
    if not found:
        wanted = " or ".join(f"{table}{suffix}" for suffix in _TABLE_SUFFIXES)
        raise FileError(f"There is no {wanted} in {folder.spec} (CINEMATCH_DRIVE).")
    if len(found) > 1:
        names = " and ".join(file.path for file in found)
        raise FileError(f"{names} are both in {folder.spec}: keep one, so that it is clear which one counts.")
    return found[0]
