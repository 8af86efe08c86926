"""Objects as files in a folder of this machine.

Here: the store. Not here: how a file is written atomically (``storage.atomic_file``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cinematch_assets.private_files import FILE_MODE
from cinematch_assets.storage.atomic_file import (
    locked_staging_path,
    move_into_place,
    remove_abandoned,
    translate_write_errors,
    write_atomically,
)
from cinematch_assets.storage.base import MissingObjectError, StoreError, check_key, staging_name

_CHUNK_BYTES = 1 << 20
_STAGING = ".staging"


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Objects as files below ``root``; unfinished ones are in a hidden folder there."""

    root: Path

    def put(self, key: str, source: Path) -> None:
        """Copy the file, forced to disk before it is renamed."""
        write_atomically(self._file(key), _chunks(source), staging=self.root / _STAGING)

    def put_bytes(self, key: str, content: bytes) -> None:
        """Write the bytes, forced to disk before the file is renamed."""
        write_atomically(self._file(key), [content], staging=self.root / _STAGING)

    @contextmanager
    def staged(self, key: str) -> Iterator[Path]:
        """Give a path in the hidden folder, renamed to the object at the end."""
        target = self._file(key)
        with locked_staging_path(self.root / _STAGING / staging_name(key)) as unfinished:
            yield unfinished
            if unfinished.exists():
                unfinished.chmod(FILE_MODE)
                move_into_place(unfinished, target)

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Give the object's own file."""
        yield self._existing(key)

    def read_bytes(self, key: str) -> bytes:
        """Read the file."""
        return self._existing(key).read_bytes()

    def exists(self, key: str) -> bool:
        """Return whether there is such a file."""
        return self._file(key).is_file()

    def delete(self, key: str) -> None:
        """Remove the file; empty folders stay."""
        file = self._file(key)
        with translate_write_errors(file):
            file.unlink(missing_ok=True)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Walk the folder that the prefix leads to; hidden files are not objects."""
        start = self.root / prefix.rpartition("/")[0]
        if not start.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(f"The prefix {prefix!r} leads out of the store {self.root}.")
        found = (file.relative_to(self.root) for file in start.rglob("*") if file.is_file())
        visible = (str(file) for file in found if not any(part.startswith(".") for part in file.parts))
        yield from sorted(key for key in visible if key.startswith(prefix))

    def size(self, key: str) -> int:
        """Read it from the file system."""
        return self._existing(key).stat().st_size

    def written_at(self, key: str) -> datetime:
        """Read it from the file system."""
        return datetime.fromtimestamp(self._existing(key).stat().st_mtime, tz=UTC)

    def uri(self, key: str) -> str:
        """Return a ``file://`` address."""
        return self._file(key).as_uri()

    def remove_abandoned(self, older_than: timedelta) -> int:
        """Clean the hidden folder."""
        return remove_abandoned(self.root / _STAGING, older_than)

    def _file(self, key: str) -> Path:
        file = self.root / check_key(key)
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(f"The key {key!r} leads out of the store {self.root}.")
        return file

    def _existing(self, key: str) -> Path:
        file = self._file(key)
        if not file.is_file():
            raise MissingObjectError(f"There is no {key} in the store {self.root} (CINEMATCH_STORE).")
        return file


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as fault:
        raise StoreError(f"{source}: cannot be read ({fault.strerror}).") from fault
