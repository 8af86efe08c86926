"""A folder that people drop files into: the interface.

Here: the protocol, its errors, finding the file of a table. Not here: a local folder (``drive.local_folder``), one in
Google Drive (``drive.google_folder``), what is in the files (``reading``), where copies are kept (``drive.landing``).
"""

import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.table_names import choose_table_file, expected_names, is_file_of
from cinematch_assets.values import DriveFile, SkippedEntry

GOOGLE_PREFIX = "gdrive:"
MIN_AGE_S = 2.0
"""A local file counts as written when it has not changed for so many seconds."""
HIDDEN = "."
"""Files and folders whose names begin so are left out of listings: ``.DS_Store`` is no movie."""
_POLL_S = 0.2


class DriveError(SurroundingsError):
    """The folder, or a file in it, cannot be read."""


class FileError(DriveError):
    """One file cannot be read; the others may be fine."""


class FileChangedError(FileError):
    """A file's content is no longer the listed one; the next listing has the new one."""


class UnreachableError(DriveError):
    """Google Drive still fails after several attempts; it may answer later."""


class TokenError(DriveError):
    """A person has to sign in, or to grant more; no further attempt helps before that."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The files and skipped entries of a folder, each sorted by path.

    A file that is missing here has not necessarily been deleted.
    """

    files: tuple[DriveFile, ...]
    skipped: tuple[SkippedEntry, ...]


class Folder(Protocol):
    """A folder of dropped files. May be used by several threads at once."""

    @property
    def spec(self) -> str:
        """The value of ``CINEMATCH_DRIVE``, for messages."""

    def list_files(self, under: str = "", *, recursive: bool = True) -> FolderListing:
        """List the folder below ``under``; a sub-folder that does not exist is an empty one.

        Raises:
            DriveError: The folder itself cannot be read.
        """

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Make ``target`` hold the file, checked against its size and md5, or leave it as it was.

        Raises:
            FileError: This file cannot be read; ``FileChangedError`` when a new listing may help.
            DriveError: The folder cannot be read.
            WriteError: ``target`` cannot be written.
        """


def find_table(folder: Folder, table: str, *, wait_s: float = 30.0) -> DriveFile:
    """Return the one CSV or Parquet file of ``table``, such as ``movies`` or ``batches/batch_w1``.

    A file that is still being written is waited for, up to ``wait_s``.

    Raises:
        FileError: There is none, it is no readable file, or it is still being written.
        SeveralTableFilesError: There is more than one.
    """
    deadline = time.monotonic() + wait_s
    while True:
        found, unreadable = _candidates(folder, table)
        if not any(entry.for_now for entry in unreadable) or time.monotonic() >= deadline:
            break
        time.sleep(min(_POLL_S, wait_s))
    if unreadable:
        raise FileError(f"{unreadable[0].path} in {folder.spec}: {unreadable[0].reason}.")
    path = choose_table_file((file.path for file in found), table, folder.spec)
    if path is None:
        raise FileError(f"There is no {expected_names(table)} in {folder.spec} (CINEMATCH_DRIVE).")
    return next(file for file in found if file.path == path)


def _candidates(folder: Folder, table: str) -> tuple[list[DriveFile], list[SkippedEntry]]:
    """Return the files of the table, and skipped entries of its name; a spreadsheet in Drive has no suffix."""
    parent = str(PurePosixPath(table).parent)
    listing = folder.list_files("" if parent == "." else parent, recursive=False)
    found = [file for file in listing.files if is_file_of(file.path, table)]
    unreadable = [entry for entry in listing.skipped if entry.path == table or is_file_of(entry.path, table)]
    return found, unreadable
