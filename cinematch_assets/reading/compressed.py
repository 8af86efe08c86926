"""Open a file that may be compressed by gzip, within limits.

Here: unpacking as it is read, never more than the limits allow. Not here: what is in the file (``csv_file``).
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cinematch_assets.reading.results import FileRefused

GZIP_MAGIC = b"\x1f\x8b"
MAX_UNPACKED_FREE_BYTES = 64 * 2**20
"""A file may unpack to this size whatever its own; MovieLens' ratings have four times the size of their gzip."""
MAX_UNPACKED_PER_BYTE = 16


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a gzip file; reading past the limit refuses the file."""

    def __init__(self, packed: BinaryIO, name: str, max_bytes: int) -> None:
        self._unpacked = gzip.GzipFile(fileobj=packed)
        self._name, self._max_bytes = name, max_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = self._max_bytes + 1
        try:
            piece = self._unpacked.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
            raise FileRefused(self._name, f"is damaged or cut off: {fault}") from fault
        if self._unpacked.tell() > self._max_bytes:
            raise FileRefused(
                self._name,
                f"unpacks to more than {self._max_bytes / 2**20:,.0f} MB, {MAX_UNPACKED_PER_BYTE} times its size: "
                "send it as it is, not compressed",
            )
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._unpacked.seek(offset, whence)
        except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
            raise FileRefused(self._name, f"is damaged or cut off: {fault}") from fault


@contextmanager
def open_unpacked(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file as it is, or unpacked when it begins as gzip does; ``name`` is its name in messages."""
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if is_packed:
            yield _Unpacked(file, name, max(MAX_UNPACKED_FREE_BYTES, MAX_UNPACKED_PER_BYTE * size))  # type: ignore[misc]
        else:
            yield file
