"""What every store of objects offers, and its errors.

Here: the protocol, what a key may be. Not here: the stores themselves (``storage.local``, ``storage.s3``), choosing one
(``storage.opening``), how keys are made (``drive.landing``, ``pipeline.models.artifacts``).
"""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cinematch_assets.errors import SurroundingsError

_MAX_KEY_BYTES = 1024
_MAX_PART_BYTES = 240


class StoreError(SurroundingsError):
    """The store cannot do what was asked; the message names the object."""


class MissingObjectError(StoreError):
    """There is no such object."""


class Store(Protocol):
    """Objects by key, such as ``models/<sha256>.model``; may be used by several threads at once."""

    def put(self, key: str, source: Path) -> None:
        """Store a copy of a local file; readers see the old object or the new one."""

    def put_bytes(self, key: str, content: bytes) -> None:
        """Store ``content``; readers see the old object or the new one."""

    def staged(self, key: str) -> AbstractContextManager[Path]:
        """Give a local path whose file becomes the object when the block ends well.

        The path depends on the key alone, so that interrupted work can be resumed; one process or thread has it at a
        time, the others wait. Nothing is stored when nothing was written.
        """

    def path(self, key: str) -> AbstractContextManager[Path]:
        """Give the object as a local file for the length of the block; it must not be written to."""

    def read_bytes(self, key: str) -> bytes:
        """Return the object's content."""

    def exists(self, key: str) -> bool:
        """Return whether there is such an object."""

    def delete(self, key: str) -> None:
        """Remove the object if it is there."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Give the keys that start with ``prefix``, in order."""

    def size(self, key: str) -> int:
        """Return the object's size in bytes."""

    def written_at(self, key: str) -> datetime:
        """Return the time (UTC) at which the object was stored."""

    def uri(self, key: str) -> str:
        """Return the object's address for people and other programs."""

    def remove_abandoned(self, older_than: timedelta) -> int:
        """Remove unfinished objects of killed processes, untouched for ``older_than``; return how many."""


def check_key(key: str) -> str:
    """Return the key.

    Raises:
        StoreError: It could name something outside the store, or is one that not every store can hold.
    """
    parts = key.split("/")
    good = (
        all(part and not part.startswith(".") and len(part.encode()) <= _MAX_PART_BYTES for part in parts)
        and "\\" not in key
        and key.isprintable()
        and len(key.encode()) <= _MAX_KEY_BYTES
    )
    if not good:
        raise StoreError(
            f"{key[:80]!r} cannot be a key: write names separated by '/', none empty or starting with '.'."
        )
    return key


def staging_name(key: str) -> str:
    """Return one file name for the key."""
    return hashlib.sha256(key.encode()).hexdigest()
