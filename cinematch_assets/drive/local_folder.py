"""A folder on this machine, read as Google Drive is.

Here: listing it, hashing what changed, copying, and never opening what is not below it. Not here: what the files mean
(``reading``).
"""

import errno
import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from cinematch_assets.drive.folder import (
    HIDDEN,
    MIN_AGE_S,
    DriveError,
    FileChangedError,
    FileError,
    FolderListing,
    Look,
    LookLimits,
    name_fault,
    path_id,
    shown_name,
)
from cinematch_assets.storage.atomic_file import write_atomically
from cinematch_assets.table_names import is_read
from cinematch_assets.values import DriveFile, SkippedEntry

_CHUNK_BYTES = 1 << 20
_UNFINISHED_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".download")
_BEING_WRITTEN = "is still being written"

_Signature = tuple[int, int, int, int, int]
_MAX_REMEMBERED = 500_000
_remembered_md5: dict[_Signature, str] = {}
"""md5 by what the file system says of a file, for all folder objects: a listing hashes only what changed."""


class _OutsideError(OSError):
    """A path leads out of the folder by a symbolic link."""

    def __init__(self) -> None:
        super().__init__(errno.EXDEV, "is a link out of the folder, which is not followed")


def hash_file(source: io.BufferedReader) -> tuple[str, os.stat_result]:
    """Return the content's md5, and the file's status after it was read, to be compared with that before."""
    md5 = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return md5, os.fstat(source.fileno())


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on this machine; hidden files (``.DS_Store``) are left out.

    What is reachable only by a symbolic link that leaves the folder is never read. A link to a file of the folder is
    that file under one more name; a link to one of its folders is not entered, because that is listed at its own place.
    """

    root: Path
    min_age_s: float = MIN_AGE_S
    """A file that changed within so many seconds counts as still being written."""
    clock: Callable[[], float] = time.time
    hash_file: Callable[[io.BufferedReader], tuple[str, os.stat_result]] = hash_file

    @property
    def spec(self) -> str:
        """The folder's path."""
        return str(self.root)

    def list_files(
        self,
        under: str = "",
        *,
        recursive: bool = True,
        is_wanted: Callable[[str], bool] = is_read,
        limits: LookLimits = LookLimits(),  # noqa: B008 - frozen
    ) -> FolderListing:
        """List the folder; a file that changes while it is hashed, or changed recently, is skipped for now."""
        self._check()
        look = Look(limits, is_wanted)
        pending = [_relative(under)]
        while pending and not look.is_over(_text(pending[-1])):
            inner = self._look_into(pending.pop(), look)
            if recursive:
                pending.extend(reversed(inner))
            else:
                look.others.extend(f"{_text(folder)}/" for folder in inner)
        return look.listing()

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Copy the file and hash it on the way; ``target`` appears only when size and md5 are the listed ones."""
        self._check()
        write_atomically(target, self._content(file))

    def _check(self) -> None:
        try:
            with self._open(PurePosixPath(), os.O_DIRECTORY):
                return
        except NotADirectoryError:
            what = "is not a folder"
        except FileNotFoundError:
            what = "does not exist"
        except OSError as fault:
            raise DriveError(f"The folder {self.root} (CINEMATCH_DRIVE) cannot be read ({fault.strerror}).") from fault
        raise DriveError(f"The folder {self.root} {what}: make it, or point CINEMATCH_DRIVE at another.")

    def _look_into(self, folder: PurePosixPath, look: Look) -> list[PurePosixPath]:
        """Look at the entries of one folder; return its sub-folders."""
        inner: list[PurePosixPath] = []
        try:
            with self._open(folder, os.O_DIRECTORY) as descriptor, os.scandir(descriptor) as found:
                room = look.limits.max_entries - look.entries + 1
                for entry in sorted(islice(found, room), key=lambda entry: entry.name):
                    if look.is_over(_text(folder)):
                        break
                    look.entries += 1
                    if not entry.name.startswith(HIDDEN) and self._look_at(folder / entry.name, entry, look):
                        inner.append(folder / entry.name)
        except (FileNotFoundError, NotADirectoryError):
            pass  # no such sub-folder, or removed since its parent was read
        except OSError as fault:
            if folder == PurePosixPath():
                raise DriveError(f"The folder {self.root} cannot be read ({fault.strerror}).") from fault
            look.skip(_text(folder), _unreadable(fault))
        return inner

    def _look_at(self, path: PurePosixPath, entry: "os.DirEntry[str]", look: Look) -> bool:
        """Look at one entry; return whether it is a folder to enter."""
        name = _text(path)
        if bad_name := name_fault(str(path)):
            look.skip(name, bad_name)
        elif path.suffix.lower() in _UNFINISHED_SUFFIXES:
            look.skip(name, _BEING_WRITTEN, for_now=True)
        else:
            try:
                status = self._status(path, entry)
                if stat.S_ISDIR(status.st_mode):
                    if not entry.is_symlink():
                        return True
                    look.skip(name, "is a link to a folder of this folder, which is listed at its own place")
                elif not look.is_wanted(name):
                    look.others.append(name)
                else:
                    look.add(self._describe(path, status))
            except FileNotFoundError:
                if entry.is_symlink():
                    look.skip(name, "is a link to nothing")
            except OSError as fault:
                look.skip(name, _unreadable(fault))
        return False

    def _status(self, path: PurePosixPath, entry: "os.DirEntry[str]") -> os.stat_result:
        """Return what the file system says of an entry; of a link, of what it leads to, if that is in the folder."""
        if not entry.is_symlink():
            return entry.stat(follow_symlinks=False)
        return (Path(os.path.realpath(self.root)) / self._resolve(path)).stat(follow_symlinks=False)

    def _resolve(self, path: PurePosixPath) -> PurePosixPath:
        """Return the path below the folder after all links.

        Raises:
            OSError: It leads out of the folder, in a circle, or nowhere.
        """
        root = os.path.realpath(self.root)
        real = os.path.realpath(Path(root) / path, strict=True)
        if not Path(real).is_relative_to(root):
            raise _OutsideError
        return PurePosixPath(os.path.relpath(real, root))

    @contextmanager
    def _open(self, path: PurePosixPath, flags: int = 0) -> Iterator[int]:
        """Open a file or folder below the root, step by step, so that a link put there meanwhile is not followed."""
        steps = self._resolve(path).parts
        inner = os.O_RDONLY | os.O_CLOEXEC
        descriptor = os.open(os.path.realpath(self.root), inner | (os.O_DIRECTORY if steps else flags))
        try:
            for number, step in enumerate(steps, start=1):
                kind = flags | os.O_NONBLOCK if number == len(steps) else os.O_DIRECTORY
                deeper = os.open(step, inner | kind | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = deeper
            yield descriptor
        finally:
            os.close(descriptor)

    def _describe(self, path: PurePosixPath, status: os.stat_result) -> DriveFile | SkippedEntry:
        """Describe one file by its content."""
        if fault := _fault_of_kind(status):
            return SkippedEntry(str(path), fault)
        age_s = self.clock() - status.st_ctime
        if 0 <= age_s < self.min_age_s:
            return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
        md5 = _remembered_md5.get(_signature(status))
        if md5 is None:
            with self._open(path) as descriptor, open(descriptor, "rb", closefd=False) as source:
                if _signature(os.fstat(descriptor)) != _signature(status):
                    return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
                md5, status_after = self.hash_file(source)
            if _signature(status_after) != _signature(status):
                return SkippedEntry(str(path), _BEING_WRITTEN, for_now=True)
            if age_s >= MIN_AGE_S:  # a younger file may still change without its time stamp moving
                _remember(status, md5)
        return DriveFile(id=path_id("local", str(path)), path=str(path), name=path.name, size=status.st_size, md5=md5)

    def _content(self, file: DriveFile) -> Iterator[bytes]:
        """Give the file's bytes; raise at their end when they are not the listed ones."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with (
                self._open(_relative(file.path)) as descriptor,
                open(descriptor, "rb", closefd=False) as source,
            ):
                if fault_of_kind := _fault_of_kind(os.fstat(descriptor)):
                    raise FileError(f"{file.path} in {self.spec} {fault_of_kind}.")
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise FileError(f"{file.path} is no longer in {self.spec}.") from None
        except OSError as fault:
            raise FileError(f"{file.path} in {self.spec} {_unreadable(fault)}.") from fault
        if (size, digest.hexdigest()) != (file.size, file.md5):
            raise FileChangedError(
                f"{file.path} in {self.spec} changed while it was read; the next listing has the new content."
            )


def _relative(path: str) -> PurePosixPath:
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise DriveError(f"{path!r} does not name something below the folder.")
    return relative


def _text(path: PurePosixPath) -> str:
    return shown_name(os.fsencode(str(path)).decode("utf-8", errors="replace"))


def _unreadable(fault: OSError) -> str:
    if isinstance(fault, _OutsideError):
        return f"{fault.strerror}: put the file itself there"
    if fault.errno == errno.ELOOP:
        return "is a link that leads in a circle"
    return f"cannot be read ({fault.strerror})"


def _fault_of_kind(status: os.stat_result) -> str | None:
    """Return why a file is not read whatever is in it: a pipe has no end, and a hard link may be to a private file."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_nlink > 1 and not status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return "is a second name of a file that its owner alone may read: put a copy there"
    return None


def _signature(status: os.stat_result) -> _Signature:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _remember(status: os.stat_result, md5: str) -> None:
    if len(_remembered_md5) >= _MAX_REMEMBERED:
        _remembered_md5.clear()
    _remembered_md5[_signature(status)] = md5
