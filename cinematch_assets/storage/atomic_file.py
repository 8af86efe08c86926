"""Files that appear whole or not at all.

Here: writing beside the target, forcing it to disk, renaming; the one-sentence error when that fails; unfinished files
that one process at a time may go on with, and sweeping up those that nobody does.
Not here: what is in the files, and where they belong (``storage.store``, ``drive``).
"""

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cinematch_assets.errors import SurroundingsError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class WriteError(SurroundingsError):
    """A file could not be written; nothing of it is left where readers look."""


def write_atomically(target: Path, chunks: Iterable[bytes], *, beside: Path | None = None) -> None:
    """Make ``target`` hold ``chunks``, or leave it as it was when a chunk or the disk fails.

    ``beside`` is the folder for the unfinished file, on the file system of ``target``; by default the target's own.
    What ``chunks`` raises passes through.
    """
    with explained(target):
        unfinished = (beside or target.parent) / f".{uuid.uuid4().hex}.unfinished"
        unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(unfinished, chunks, target)
        publish(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _write(unfinished: Path, chunks: Iterable[bytes], target: Path) -> None:
    with explained(target):
        handle = unfinished.open("xb", buffering=0)
    with handle:
        for chunk in chunks:
            with explained(target):
                write_all(handle.fileno(), chunk)


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write every byte: an unbuffered write may stop short when the disk fills up."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def publish(unfinished: Path, target: Path) -> None:
    """Force ``unfinished`` to disk and give it the name ``target``, replacing what had that name."""
    with explained(target):
        _sync(unfinished)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(target)
        _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Say in one sentence which file could not be written, and why."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _FULL:
            raise WriteError(f"{target}: the disk is full; free some space and run it again.") from fault
        raise WriteError(f"{target}: cannot be written ({fault.strerror or fault}).") from fault


@contextmanager
def held(file: Path) -> Iterator[Path]:
    """Give ``file`` in a folder of its own, to one holder at a time over all processes of this machine.

    The lock ends with its process, so a killed one blocks nobody. What it left beside ``file`` is found by the next.
    """
    room = file.with_suffix(".room")
    with explained(file):
        lock = _locked(room)
    try:
        yield room / "object"
    except BaseException:
        with suppress(OSError):  # what was begun stays for the next holder
            room.rmdir()
        raise
    else:
        shutil.rmtree(room)
    finally:
        os.close(lock)


def _locked(room: Path) -> int:
    """Lock the folder, made when it is not there; a holder removes it, so check that it is still the one in place."""
    while True:
        try:
            room.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(room, os.O_RDONLY | os.O_DIRECTORY)
        except (FileExistsError, FileNotFoundError):
            if room.is_file():
                raise
            continue  # removed by its holder between one look and the next
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            in_place = os.fstat(descriptor).st_ino == room.stat().st_ino
        except FileNotFoundError:
            in_place = False
        if in_place:
            return descriptor
        os.close(descriptor)


def swept(staging: Path, older_than: timedelta) -> int:
    """Remove unfinished files, and rooms that nobody holds, untouched for so long."""
    gone, limit = 0, (datetime.now(tz=UTC) - older_than).timestamp()
    for entry in list(staging.iterdir()) if staging.is_dir() else []:
        try:
            touched = max(part.stat().st_mtime for part in (entry, *entry.glob("*")))
            if touched < limit:
                _remove(entry)
                gone += 1
        except (FileNotFoundError, BlockingIOError):
            continue  # finished meanwhile, or held
    return gone


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
