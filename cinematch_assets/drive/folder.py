"""A folder that people drop files into: the interface.

Here: the protocol, its errors, what a look at a folder collects, finding the file of a table. Not here: a local folder
(``drive.local_folder``), one in Google Drive (``drive.google_folder``) or in a bucket (``drive.s3_folder``), what is in
the files (``reading``), where copies are kept (``drive.landing``).
"""

import hashlib
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.table_names import choose_table_file, expected_names, is_file_of, is_read
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
    """The files, skipped entries and other names of a folder, each sorted by path.

    A file that is missing here has not necessarily been deleted.
    """

    files: tuple[DriveFile, ...]
    skipped: tuple[SkippedEntry, ...]
    others: tuple[str, ...] = ()
    """Files that were not asked for and never opened; folders, with ``/`` at the end, that were not entered."""


@dataclass(frozen=True, slots=True)
class LookLimits:
    """How much one listing may look at; what is beyond it is left to the next one."""

    max_entries: int = 250_000
    max_s: float = 600.0


QUICK_LOOK = LookLimits(max_s=12.0)
"""For a sensor, which lists three times within the minute that Dagster gives a tick."""


@dataclass(slots=True)
class Look:
    """What one listing has found so far. The methods may be called by one thread only."""

    limits: LookLimits
    is_wanted: Callable[[str], bool]
    files: list[DriveFile] = field(default_factory=list)
    skipped: list[SkippedEntry] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    entries: int = 0
    started: float = field(default_factory=time.monotonic)

    def skip(self, path: str, reason: str, *, for_now: bool = False) -> None:
        """Leave an entry out, by name."""
        self.skipped.append(SkippedEntry(path, reason, for_now=for_now))

    def add(self, entry: DriveFile | SkippedEntry) -> None:
        """Note what became of an entry."""
        if isinstance(entry, DriveFile):
            self.files.append(entry)
        else:
            self.skipped.append(entry)

    def is_over(self, where: str) -> bool:
        """Return whether a limit is reached; the first time, ``where`` it happened is noted as skipped."""
        if self.entries < self.limits.max_entries and not self.time_is_up():
            return False
        if not self.skipped or self.skipped[-1].reason != self._stopped:
            self.skip(where or ".", self._stopped, for_now=True)
        return True

    def time_is_up(self) -> bool:
        """Return whether the look has taken as long as it may."""
        return time.monotonic() - self.started >= self.limits.max_s

    @property
    def _stopped(self) -> str:
        most = f"{self.limits.max_entries:,} entries and {self.limits.max_s:,.0f} s"
        return f"is not listed to its end: a look takes {most} at most"

    def listing(self) -> FolderListing:
        """Return the result."""
        return FolderListing(
            files=tuple(sorted(self.files, key=lambda file: (file.path, file.id))),
            skipped=tuple(sorted(self.skipped, key=lambda entry: (entry.path, entry.reason))),
            others=tuple(sorted(self.others)),
        )


class Folder(Protocol):
    """A folder of dropped files. May be used by several threads at once."""

    @property
    def spec(self) -> str:
        """The value of ``CINEMATCH_DRIVE``, for messages."""

    def list_files(
        self,
        under: str = "",
        *,
        recursive: bool = True,
        is_wanted: Callable[[str], bool] = is_read,
        limits: LookLimits = LookLimits(),
    ) -> FolderListing:
        """List the folder below ``under``; a sub-folder that does not exist is an empty one.

        One bad entry, a sub-folder too, never fails a listing: it is skipped, by name. Files whose path ``is_wanted``
        refuses are never opened.

        Raises:
            DriveError: The folder itself, ``spec``, cannot be read.
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
    """Return the files of the table, and skipped entries that may be one; a spreadsheet in Drive has no suffix."""
    parent = str(PurePosixPath(table).parent)
    listing = folder.list_files(
        "" if parent == "." else parent, recursive=False, is_wanted=lambda path: is_file_of(path, table)
    )
    unreadable = [entry for entry in listing.skipped if entry.path in (table, parent) or is_file_of(entry.path, table)]
    return list(listing.files), unreadable


def name_fault(name: str) -> str:
    """Return why a name cannot be used; empty when it can."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has a name with control characters or bytes that are not UTF-8"
    return ""


def shown_name(name: str) -> str:
    """Return a name for messages, with what cannot be shown replaced."""
    return "".join("\ufffd" if unicodedata.category(one) in ("Cc", "Cs") else one for one in name)


def path_id(kind: str, path: str) -> str:
    """Give a file an id as Drive does, where the path is the identity: letters, digits and a hyphen."""
    return f"{kind}-{hashlib.sha256(path.encode()).hexdigest()[:24]}"
