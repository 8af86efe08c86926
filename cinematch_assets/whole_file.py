"""Files that appear whole or not at all.

Here: writing beside the target, forcing it to disk, renaming; and the one-sentence error when that fails.
Not here: what is in the files, and where they belong (``store``, ``drive``).
"""

import errno
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cinematch_assets.errors import CinematchError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class WriteError(CinematchError):
    """A file could not be written; nothing of it is left where readers look."""


def write_whole(target: Path, chunks: Iterable[bytes], *, beside: Path | None = None) -> None:
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
