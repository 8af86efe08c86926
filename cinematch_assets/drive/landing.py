"""Keep a dropped file unchanged in the store, under its identity and content.

Here: the key of a landed file, and copying it there once. Not here: which files to land (``pipeline.ingest``), fetching
their bytes (``drive.download``).
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from cinematch_assets.drive.folder import Folder
from cinematch_assets.storage.base import Store
from cinematch_assets.table_names import suffix_of
from cinematch_assets.values import DriveFile

LANDED_PREFIX = "landed/"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Landed:
    """A file in the store, byte for byte what was dropped."""

    key: str
    file_name: str
    size: int
    """Bytes."""
    md5: str
    landed_at: datetime
    unchanged: bool
    """True when this content was in the store already, so that nothing was fetched."""


def land(folder: Folder, file: DriveFile, store: Store) -> Landed:
    """Copy the file into the store unless its content is there; checked against size and md5, complete or absent.

    When two processes land the same content, the second waits for the first and fetches nothing.
    """
    key = landing_key(file)
    if _is_stored(store, key, file):
        return _landed(file, key, store, unchanged=True)
    with store.staged(key) as unfinished:
        stored_meanwhile = _is_stored(store, key, file)
        if not stored_meanwhile:
            folder.fetch(file, unfinished)
    logger.debug("%r landed as %s (%s bytes)", file.path, key, f"{file.size:,}")
    return _landed(file, key, store, unchanged=stored_meanwhile)


def landing_key(file: DriveFile) -> str:
    """Return the object's key: the file's id and md5, and of its name only a known suffix, which tells the format."""
    return f"{LANDED_PREFIX}{file.id}/{file.md5}{suffix_of(file.name)}"


def cleaned_key(key: str, md5: str) -> str:
    """Return the key of a landed object's new content ``md5``, from which rows were left out."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/{md5}{suffix_of(name)}"


def _is_stored(store: Store, key: str, file: DriveFile) -> bool:
    return store.exists(key) and store.size(key) == file.size


def _landed(file: DriveFile, key: str, store: Store, *, unchanged: bool) -> Landed:
    return Landed(
        key=key,
        file_name=file.name,
        size=file.size,
        md5=file.md5,
        landed_at=store.written_at(key),
        unchanged=unchanged,
    )
