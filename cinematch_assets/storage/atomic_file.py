"""Files and folders that appear complete or not at all.

Here: writing beside the target, forcing to disk, renaming; the error message when that fails; staging paths that one
process at a time may use, and removing those that were abandoned.
Not here: what is in the files (``reading``, ``samples``), and where they belong (``storage.local``, ``drive.landing``).
"""

import errno
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.private_files import FILE_MODE, FOLDER_MODE, make_private_folder

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class WriteError(SurroundingsError):
    """A file could not be written; nothing of it is left where readers look."""


def write_atomically(
    target: Path, chunks: Iterable[bytes], *, staging: Path | None = None, mode: int = FILE_MODE
) -> None:
    """Make ``target`` hold ``chunks``, or leave it as it was when a chunk or the disk fails.

    Args:
        target: The file; its folder is made when it is missing.
        chunks: The content; what iterating them raises passes through.
        staging: Folder for the unfinished file, on the file system of ``target``; by default the target's own.
        mode: Permissions of the new file, before the umask; by default its user's alone.

    Raises:
        WriteError: The file cannot be written.
    """
    with unfinished_file(target, staging=staging) as unfinished:
        with translate_write_errors(target):
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            for chunk in chunks:
                with translate_write_errors(target):
                    write_all(descriptor, chunk)
        finally:
            os.close(descriptor)


@contextmanager
def unfinished_file(target: Path, *, staging: Path | None = None) -> Iterator[Path]:
    """Give a new hidden path to write to, which becomes ``target`` when the block ends well and is removed otherwise.

    ``staging`` is as in ``write_atomically``.

    Raises:
        WriteError: The file cannot be made or moved; what the block raises passes through.
    """
    folder = staging or target.parent
    with translate_write_errors(target):
        make_private_folder(folder)
    unfinished = folder / f".{uuid.uuid4().hex}.unfinished"
    try:
        yield unfinished
        move_into_place(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """Give a new folder to fill, which becomes ``target`` when the block ends well and is removed otherwise.

    Two processes may fill the same target: the second to finish keeps what the first one put there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield unfinished
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write every byte: an unbuffered write may stop short when the disk fills up."""
    remaining = memoryview(chunk)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def move_into_place(unfinished: Path, target: Path) -> None:
    """Force ``unfinished`` to disk and rename it to ``target``, replacing what had that name."""
    with translate_write_errors(target):
        _sync(unfinished)
        make_private_folder(target.parent)
        unfinished.replace(target)
        _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translate_write_errors(target: Path) -> Iterator[None]:
    """Turn an ``OSError`` into a ``WriteError`` that names the file and the reason."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _DISK_FULL:
            raise WriteError(f"{target}: the disk is full; free some space and run it again.") from fault
        raise WriteError(f"{target}: cannot be written ({fault.strerror or fault}).") from fault


@contextmanager
def locked_staging_path(file: Path) -> Iterator[Path]:
    """Exclusive (flock) staging path for ``file``, in a folder of its own beside it.

    One process of this machine has it at a time, the others wait. The lock ends with its process, so a killed one
    blocks no other; what it left is found at the same path by the next.
    """
    folder = file.with_suffix(".locked")
    with translate_write_errors(file):
        lock = _lock(folder)
    try:
        yield folder / "object"
    except BaseException:
        with suppress(OSError):  # an unfinished object stays for the next process
            folder.rmdir()
        raise
    else:
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def _lock(folder: Path) -> int:
    """Make and lock the folder; the process before may have removed it meanwhile, so check that it is still there."""
    while True:
        try:
            make_private_folder(folder.parent)
            folder.mkdir(exist_ok=True, mode=FOLDER_MODE)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileExistsError, FileNotFoundError):
            if folder.is_file():
                raise
            continue  # removed between the two calls
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            in_place = os.fstat(descriptor).st_ino == folder.stat().st_ino
        except FileNotFoundError:
            in_place = False
        if in_place:
            return descriptor
        os.close(descriptor)


def remove_abandoned(staging: Path, older_than: timedelta) -> int:
    """Remove unfinished files and unlocked folders that were not touched for ``older_than``; return how many."""
    removed, limit = 0, (datetime.now(tz=UTC) - older_than).timestamp()
    for entry in list(staging.iterdir()) if staging.is_dir() else []:
        try:
            touched = max(part.stat().st_mtime for part in (entry, *entry.glob("*")))
            if touched < limit:
                _remove(entry)
                removed += 1
        except (FileNotFoundError, BlockingIOError):
            continue  # finished meanwhile, or locked
    return removed


def _remove(entry: Path) -> None:
    if not entry.is_dir():
        entry.unlink()
        return
    descriptor = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry)
    finally:
        os.close(descriptor)
