"""Keep a dropped file unchanged, under its identity and content.

Here: the key of a landed file, and bringing it there once. Not here: which files to land, or what becomes of them.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from cinematch_assets.drive.folder import Folder
from cinematch_assets.storage.base import Store
from cinematch_assets.values import DriveFile

LANDED_PREFIX = "landed/"
_KEPT_SUFFIXES = (".csv", ".parquet", ".json")


@dataclass(frozen=True, slots=True)
class Landed:
    """A file as it lies in the store, byte for byte what was dropped."""

    key: str
    file_name: str
    size: int
    md5: str
    landed_at: datetime
    unchanged: bool
    """True when this content had been landed before, so that nothing was fetched."""


def land(folder: Folder, file: DriveFile, store: Store) -> Landed:
    """Bring the file into the store unless its content is there; verified on the way, whole or absent.

    Two processes landing the same content do it once: the second waits and finds it there.
    """
    key = landing_key(file)
    if _is_there(store, key, file):
        return _landed(file, key, store, unchanged=True)
    with store.staged(key) as unfinished:
        waited_for_another = _is_there(store, key, file)
        if not waited_for_another:
            folder.fetch(file, unfinished)
    return _landed(file, key, store, unchanged=waited_for_another)


def landing_key(file: DriveFile) -> str:
    """Name the object by the file's id and content; of its name only a known suffix stays, which tells the format."""
    suffix = PurePosixPath(file.name).suffix.lower()
    return f"{LANDED_PREFIX}{file.id}/{file.md5}{suffix if suffix in _KEPT_SUFFIXES else ''}"


def _is_there(store: Store, key: str, file: DriveFile) -> bool:
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
