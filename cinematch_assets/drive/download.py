"""Download one file from Google Drive, checked against its size and md5.

Here: resuming where a transfer broke off, in this process or another, and checking the bytes. Not here: how often
requests are retried (``drive.google_client``), where the file is kept (``drive.landing``).
"""

import fcntl
import hashlib
import io
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from cinematch_assets.drive.folder import FileChangedError, FileError, UnreachableError
from cinematch_assets.drive.google_client import GoogleClient, RefusedError, RetryableError
from cinematch_assets.storage.atomic_file import (
    move_into_place,
    translate_write_errors,
    write_all,
    write_atomically,
)
from cinematch_assets.values import DriveFile

MAX_IN_MEMORY_BYTES = 1 << 20
"""Files up to this size are kept in memory, by up to 32 threads at once, and fetched again after a kill."""
_READ_BYTES = 8 << 20
_PIECE_BYTES = 1 << 18
_OK, _PARTIAL_CONTENT, _NO_SUCH_RANGE = 200, 206, 416

logger = logging.getLogger(__name__)


class _WrongRangeError(RetryableError):
    """Google sent other bytes than those requested."""


class _PartFile(io.RawIOBase):
    """An unfinished file on disk; a failed write is a ``WriteError`` that names ``target``."""

    def __init__(self, descriptor: int, target: Path) -> None:
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._target = target

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._file.readinto(buffer)

    def write(self, piece: Any) -> int:
        with translate_write_errors(self._target):
            write_all(self._file.fileno(), piece)
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Received:
    """The bytes of a file received so far, in order, with their md5."""

    def __init__(self, sink: io.BytesIO | _PartFile) -> None:
        self._sink = sink
        self._digest, self.size = hashlib.md5(usedforsecurity=False), 0
        while piece := sink.read(_READ_BYTES):
            self._digest.update(piece)
            self.size += len(piece)

    def add(self, piece: bytes) -> None:
        self._sink.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def clear(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._digest, self.size = hashlib.md5(usedforsecurity=False), 0

    def matches(self, file: DriveFile) -> bool:
        return (self.size, self._digest.hexdigest()) == (file.size, file.md5)


def download(client: GoogleClient, file: DriveFile, target: Path) -> None:
    """Make ``target`` hold the file, or leave it as it was.

    The unfinished part of a large file stays beside ``target`` and is resumed by this process or another.

    Raises:
        FileError: The file was deleted, may not be read, or came damaged twice.
        FileChangedError: Its content is no longer the listed one.
        UnreachableError: Google did not deliver.
    """
    started = time.monotonic()
    if file.size <= MAX_IN_MEMORY_BYTES:
        memory = io.BytesIO()
        received = _Received(memory)
        resumed_at = _receive(client, file, received)
        write_atomically(target, [memory.getvalue()])
    else:
        part = target.with_name(f".{target.name}.{file.md5}.part")
        with _open_locked(part, target, file) as descriptor, _PartFile(descriptor, target) as sink:
            resumed_at = _receive(client, file, _Received(sink))
            move_into_place(part, target)
    logger.debug(
        "%r: %s bytes from byte %s on in %.2f s",
        file.path,
        f"{file.size:,}",
        f"{resumed_at:,}",
        time.monotonic() - started,
    )


def _receive(client: GoogleClient, file: DriveFile, received: _Received) -> int:
    """Receive all bytes and check them; wrong ones are discarded and fetched once more. Return the first byte."""
    resumed_at = received.size
    for _ in range(2):
        try:
            while received.size < file.size:
                client.retry(lambda: _transfer(client, file, received))
        except UnreachableError as fault:
            if isinstance(fault.__cause__, _WrongRangeError):
                received.clear()  # or the next run would request the same range
            raise UnreachableError(f"{file.path}: {fault}") from fault
        except RefusedError as fault:
            if fault.status != _NO_SUCH_RANGE:
                raise _refused(file, fault) from fault
        if received.matches(file):
            return resumed_at
        logger.warning("%r: the %s bytes received do not have the md5 of the listing", file.path, f"{received.size:,}")
        received.clear()
        _check_unchanged(client, file)
    raise FileError(f"{file.path}: the bytes that Google Drive sends do not have the md5 that it lists.")


def _transfer(client: GoogleClient, file: DriveFile, received: _Received) -> None:
    """Receive what one request gives.

    Raises:
        RetryableError: It ended early after fewer than ``progress_bytes``; after more, the caller starts a new series.
    """
    start = received.size
    with client.open_content(file.id, {"Range": f"bytes={start}-"} if start else {}) as response:
        _check_range(response, start, file)
        for piece in _pieces(client, response):
            if received.size + len(piece) > file.size:
                received.clear()
                raise _changed(file)
            received.add(piece)
    if received.size < file.size and received.size - start < client.retry_policy.progress_bytes:
        raise RetryableError(f"broke off or was too slow at byte {received.size:,} of {file.size:,}")


def _check_range(response: requests.Response, start: int, file: DriveFile) -> None:
    """Raise before the first byte is taken when the response does not begin at byte ``start``."""
    content_range = response.headers.get("Content-Range", "")
    if start == 0 and response.status_code == _OK:
        return
    span, _, total = content_range.removeprefix("bytes ").partition("/")
    if total.isdecimal() and int(total) != file.size:
        raise _changed(file)
    if response.status_code != _PARTIAL_CONTENT or not span.startswith(f"{start}-"):
        answer = f"{response.status_code} {content_range}".strip()
        raise _WrongRangeError(f"answers {answer} when asked to resume at byte {start:,}")


def _pieces(client: GoogleClient, response: requests.Response) -> Iterator[bytes]:
    """Give bytes as they arrive until the response ends, fails or is too slow; the caller checks their number."""
    policy = client.retry_policy
    window_start, received = time.monotonic(), 0
    while True:
        try:
            piece = response.raw.read1(_PIECE_BYTES, decode_content=False)
        except (HTTPError, OSError):
            return
        if not piece:
            return
        yield piece
        received += len(piece)
        elapsed_s = time.monotonic() - window_start
        if elapsed_s >= policy.speed_window_s:
            if received < policy.min_bytes_per_s * elapsed_s:
                return
            window_start, received = time.monotonic(), 0


def _check_unchanged(client: GoogleClient, file: DriveFile) -> None:
    """Raise when Google's md5 or size of the file are no longer the listed ones."""
    try:
        now = client.call(client.files.get, fileId=file.id, fields="md5Checksum,size,trashed", supportsAllDrives=True)
    except RefusedError as fault:
        raise _refused(file, fault) from fault
    if now.get("trashed") or (now.get("md5Checksum"), str(now.get("size"))) != (file.md5, str(file.size)):
        raise _changed(file)


def _changed(file: DriveFile) -> FileChangedError:
    return FileChangedError(
        f"{file.path} changed in Google Drive while it was read; the next listing has the new content."
    )


def _refused(file: DriveFile, fault: RefusedError) -> FileError:
    return FileError(f"{file.path}: Google Drive says {fault.status}: {fault.message}.")


@contextmanager
def _open_locked(part: Path, target: Path, file: DriveFile) -> Iterator[int]:
    """Open the part file for this process alone; parts of older contents of the same target are removed."""
    with translate_write_errors(target):
        part.parent.mkdir(parents=True, exist_ok=True)
        for older in part.parent.glob(f".{target.name}.*.part"):
            if older != part:
                older.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        in_place = part.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        in_place = False
    if not in_place:
        os.close(descriptor)
        raise FileError(f"{file.path} is being fetched by another process.")
    yield descriptor
