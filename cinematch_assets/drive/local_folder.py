"""A folder on this machine, read as if it were a Drive.

Here: walking it, hashing what changed, copying. Not here: what the files mean.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cinematch_assets.drive.folder import HIDDEN, MIN_AGE_S, DriveError, FileChangedError, FileError, FolderListing
from cinematch_assets.storage.atomic_file import write_atomically
from cinematch_assets.values import DriveFile, SkippedEntry

_CHUNK_BYTES = 1 << 20
_UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".download")
_BEING_WRITTEN = "is still being written"

_Signature = tuple[int, int, int, int, int]
_MOST_REMEMBERED = 500_000
_remembered_md5: dict[_Signature, str] = {}
"""Content by what the file system says of a file: a look hashes only what changed, whichever folder object looks."""


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine; hidden files (``.DS_Store``) are not seen, symbolic links are followed once."""

    root: Path
    min_age_s: float = MIN_AGE_S

    @property
    def spec(self) -> str:
        """The folder's path."""
        return str(self.root)

    def look(self, under: str = "", *, recursive: bool = True) -> FolderListing:
        """Walk the folder; a file that changes while it is hashed, or changed a moment ago, is left for now."""
        self._check()
        files: list[DriveFile] = []
        skipped: list[SkippedEntry] = []
        start = _below(under)
        for path in self._walk(start, recursive=recursive, skipped=skipped):
            entry = self._seen(path)
            if isinstance(entry, DriveFile):
                files.append(entry)
            elif entry is not None:
                skipped.append(entry)
        by_path = sorted(files, key=lambda file: file.path)
        return FolderListing(files=tuple(by_path), skipped=tuple(sorted(skipped, key=lambda entry: entry.path)))

    def files(self, under: str = "") -> Iterator[DriveFile]:
        """Give the files of ``look``."""
        yield from self.look(under).files

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Copy the file once, hashing on the way; ``target`` appears only when size and md5 are what the look saw."""
        self._check()
        write_atomically(target, self._content(file))

    def _check(self) -> None:
        if not self.root.is_dir():
            what = "is not a folder" if self.root.exists() else "is not there"
            raise DriveError(f"The folder {self.root} {what}: make it, or point CINEMATCH_DRIVE at another.")

    def _walk(self, start: PurePosixPath, *, recursive: bool, skipped: list[SkippedEntry]) -> Iterator[PurePosixPath]:
        """Give the paths of everything that is not a folder; each real folder is entered once, so cycles end."""
        entered: set[tuple[int, int]] = set()
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                facts = (self.root / folder).stat()
                if (facts.st_dev, facts.st_ino) in entered:
                    skipped.append(SkippedEntry(str(folder), "leads back to a folder already seen"))
                    continue
                entered.add((facts.st_dev, facts.st_ino))
                with os.scandir(self.root / folder) as found:
                    entries = sorted((entry.name, entry.is_dir()) for entry in found)
            except (FileNotFoundError, NotADirectoryError):
                continue  # no such sub-folder, or gone since its parent was read
            except OSError as fault:
                skipped.append(SkippedEntry(str(folder), f"cannot be read ({fault.strerror})"))
                continue
            visible = [(folder / name, is_folder) for name, is_folder in entries if not name.startswith(HIDDEN)]
            yield from (path for path, is_folder in visible if not is_folder)
            if recursive:
                waiting.extend(path for path, is_folder in reversed(visible) if is_folder)

    def _seen(self, path: PurePosixPath) -> DriveFile | SkippedEntry | None:
        """Describe one file by its content; None when it has gone meanwhile."""
        name = os.fsencode(str(path)).decode("utf-8", errors="replace")
        if name != str(path):
            return SkippedEntry(name, "has a name that is not UTF-8")
        if path.suffix.lower() in _UNFINISHED_SUFFIXES:
            return SkippedEntry(name, _BEING_WRITTEN, for_now=True)
        try:
            return self._hashed(path)
        except FileNotFoundError:
            return SkippedEntry(name, "is a link to nothing") if (self.root / path).is_symlink() else None
        except OSError as fault:
            return SkippedEntry(name, f"cannot be read ({fault.strerror})")

    def _hashed(self, path: PurePosixPath) -> DriveFile | SkippedEntry:
        facts = (self.root / path).stat()
        if not stat.S_ISREG(facts.st_mode):
            return SkippedEntry(str(path), "is not a regular file")
        if 0 <= time.time() - facts.st_ctime < self.min_age_s:
            return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
        md5 = _remembered_md5.get(_signature(facts))
        if md5 is None:
            md5, facts_after = _digest(self.root / path)
            if _signature(facts_after) != _signature(facts):
                return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
            _remember(facts, md5)
        return DriveFile(id=_identity(path), path=str(path), name=path.name, size=facts.st_size, md5=md5)

    def _content(self, file: DriveFile) -> Iterator[bytes]:
        """Give the file's bytes and raise at their end when they were not those that the look saw."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with (self.root / _below(file.path)).open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise FileError(f"{file.path} is no longer in {self.spec}.") from None
        except OSError as fault:
            raise FileError(f"{file.path} in {self.spec} cannot be read ({fault.strerror}).") from fault
        if (size, digest.hexdigest()) != (file.size, file.md5):
            raise FileChangedError(f"{file.path} in {self.spec} changed while it was read; the next look takes it.")


def _below(path: str) -> PurePosixPath:
    below = PurePosixPath(path)
    if below.is_absolute() or ".." in below.parts:
        raise DriveError(f"{path!r} does not name something below the folder.")
    return below


def _identity(path: PurePosixPath) -> str:
    """Give a local file the id that Drive would give it: here a file is what has the same path."""
    return f"local-{hashlib.sha256(str(path).encode()).hexdigest()[:24]}"


def _signature(facts: os.stat_result) -> _Signature:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _remember(facts: os.stat_result, md5: str) -> None:
    """Keep the hash unless the file is so young that a change to come may carry the same time stamp."""
    if time.time() - facts.st_ctime < MIN_AGE_S:
        return
    if len(_remembered_md5) >= _MOST_REMEMBERED:
        _remembered_md5.clear()
    _remembered_md5[_signature(facts)] = md5


def _digest(path: Path) -> tuple[str, os.stat_result]:
    """Hash the content; the facts are those at the end, to be compared with those before."""
    with path.open("rb") as source:
        md5 = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return md5, os.fstat(source.fileno())
