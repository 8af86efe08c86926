"""A folder on this machine, read as Google Drive is.

Here: listing it, hashing what changed, copying. Not here: what the files mean (``reading``).
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cinematch_assets.drive.folder import HIDDEN, MIN_AGE_S, DriveError, FileChangedError, FileError, FolderListing
from cinematch_assets.storage.atomic_file import write_atomically
from cinematch_assets.values import DriveFile, SkippedEntry

_CHUNK_BYTES = 1 << 20
_UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".download")
_BEING_WRITTEN = "is still being written"

_Signature = tuple[int, int, int, int, int]
_MAX_REMEMBERED = 500_000
_remembered_md5: dict[_Signature, str] = {}
"""md5 by what the file system says of a file, for all folder objects: a listing hashes only what changed."""


def hash_file(path: Path) -> tuple[str, os.stat_result]:
    """Return the content's md5, and the file's status after it was read, to be compared with that before."""
    with path.open("rb") as source:
        md5 = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return md5, os.fstat(source.fileno())


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine; hidden files (``.DS_Store``) are left out, symbolic links are followed once."""

    root: Path
    min_age_s: float = MIN_AGE_S
    """A file that changed within so many seconds counts as still being written."""
    clock: Callable[[], float] = time.time
    hash_file: Callable[[Path], tuple[str, os.stat_result]] = hash_file

    @property
    def spec(self) -> str:
        """The folder's path."""
        return str(self.root)

    def list_files(self, under: str = "", *, recursive: bool = True) -> FolderListing:
        """List the folder; a file that changes while it is hashed, or changed recently, is skipped for now."""
        self._check()
        files: list[DriveFile] = []
        skipped: list[SkippedEntry] = []
        for path in self._walk(_relative(under), recursive=recursive, skipped=skipped):
            entry = self._describe(path)
            if isinstance(entry, DriveFile):
                files.append(entry)
            elif entry is not None:
                skipped.append(entry)
        by_path = sorted(files, key=lambda file: file.path)
        return FolderListing(files=tuple(by_path), skipped=tuple(sorted(skipped, key=lambda entry: entry.path)))

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Copy the file and hash it on the way; ``target`` appears only when size and md5 are the listed ones."""
        self._check()
        write_atomically(target, self._content(file))

    def _check(self) -> None:
        if not self.root.is_dir():
            what = "is not a folder" if self.root.exists() else "does not exist"
            raise DriveError(f"The folder {self.root} {what}: make it, or point CINEMATCH_DRIVE at another.")

    def _walk(self, start: PurePosixPath, *, recursive: bool, skipped: list[SkippedEntry]) -> Iterator[PurePosixPath]:
        """Give the paths of everything that is not a folder; each real folder is entered once, so cycles end."""
        entered: set[tuple[int, int]] = set()
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                status = (self.root / folder).stat()
                if (status.st_dev, status.st_ino) in entered:
                    skipped.append(SkippedEntry(str(folder), "leads back to a folder already seen"))
                    continue
                entered.add((status.st_dev, status.st_ino))
                with os.scandir(self.root / folder) as found:
                    entries = sorted((entry.name, entry.is_dir()) for entry in found)
            except (FileNotFoundError, NotADirectoryError):
                continue  # no such sub-folder, or removed since its parent was read
            except OSError as fault:
                skipped.append(SkippedEntry(str(folder), f"cannot be read ({fault.strerror})"))
                continue
            visible = [(folder / name, is_folder) for name, is_folder in entries if not name.startswith(HIDDEN)]
            yield from (path for path, is_folder in visible if not is_folder)
            if recursive:
                pending.extend(path for path, is_folder in reversed(visible) if is_folder)

    def _describe(self, path: PurePosixPath) -> DriveFile | SkippedEntry | None:
        """Describe one file by its content; None when it was removed meanwhile."""
        name = os.fsencode(str(path)).decode("utf-8", errors="replace")
        if name != str(path):
            return SkippedEntry(name, "has a name that is not UTF-8")
        if path.suffix.lower() in _UNFINISHED_SUFFIXES:
            return SkippedEntry(name, _BEING_WRITTEN, for_now=True)
        try:
            return self._describe_readable(path)
        except FileNotFoundError:
            return SkippedEntry(name, "is a link to nothing") if (self.root / path).is_symlink() else None
        except OSError as fault:
            return SkippedEntry(name, f"cannot be read ({fault.strerror})")

    def _describe_readable(self, path: PurePosixPath) -> DriveFile | SkippedEntry:
        status = (self.root / path).stat()
        if not stat.S_ISREG(status.st_mode):
            return SkippedEntry(str(path), "is not a regular file")
        age_s = self.clock() - status.st_ctime
        if 0 <= age_s < self.min_age_s:
            return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
        md5 = _remembered_md5.get(_signature(status))
        if md5 is None:
            md5, status_after = self.hash_file(self.root / path)
            if _signature(status_after) != _signature(status):
                return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
            if age_s >= MIN_AGE_S:  # a younger file may still change without its time stamp moving
                _remember(status, md5)
        return DriveFile(id=_file_id(path), path=str(path), name=path.name, size=status.st_size, md5=md5)

    def _content(self, file: DriveFile) -> Iterator[bytes]:
        """Give the file's bytes; raise at their end when they are not the listed ones."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with (self.root / _relative(file.path)).open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise FileError(f"{file.path} is no longer in {self.spec}.") from None
        except OSError as fault:
            raise FileError(f"{file.path} in {self.spec} cannot be read ({fault.strerror}).") from fault
        if (size, digest.hexdigest()) != (file.size, file.md5):
            raise FileChangedError(
                f"{file.path} in {self.spec} changed while it was read; the next listing has the new content."
            )


def _relative(path: str) -> PurePosixPath:
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise DriveError(f"{path!r} does not name something below the folder.")
    return relative


def _file_id(path: PurePosixPath) -> str:
    """Give a local file an id as Drive does: the same path is the same file."""
    return f"local-{hashlib.sha256(str(path).encode()).hexdigest()[:24]}"


def _signature(status: os.stat_result) -> _Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _remember(status: os.stat_result, md5: str) -> None:
    if len(_remembered_md5) >= _MAX_REMEMBERED:
        _remembered_md5.clear()
    _remembered_md5[_signature(status)] = md5
