"""Bring one file from Google Drive, whole and right, whatever happens on the way.

Here: going on where a transfer broke off, in this process or another, and checking what came. Not here: how often
and how long to try (``asking``), where the file belongs (``landing``).
"""

import fcntl
import hashlib
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from cinematch_assets.drive.folder import FileChangedError, FileError, UnreachableError
from cinematch_assets.drive.google_client import GoogleClient, RefusedError, TryAgainError
from cinematch_assets.storage.atomic_file import explained, publish, write_all, write_atomically
from cinematch_assets.values import DriveFile

IN_MEMORY_BYTES = 1 << 20
"""Files up to this size come in memory, and from the start again after a kill; 32 threads may do so at once."""
CHUNK_BYTES = 8 << 20
"""A transfer that breaks off after so much has earned new patience."""
_PIECE_BYTES = 1 << 18
_NO_SUCH_RANGE = 416


class _WrongRangeError(TryAgainError):
    """Google sent other bytes than those asked for."""


class _PartFile(io.RawIOBase):
    """An unfinished file on disk, whose faults are told in one sentence."""

    def __init__(self, descriptor: int, target: Path) -> None:
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._target = target

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._file.readinto(buffer)

    def write(self, piece: Any) -> int:
        with explained(self._target):
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


class _Arriving:
    """The bytes of a file that have arrived, in order, with their hash."""

    def __init__(self, sink: io.BytesIO | _PartFile) -> None:
        self._sink = sink
        self._digest, self.size = hashlib.md5(usedforsecurity=False), 0
        while piece := sink.read(CHUNK_BYTES):
            self._digest.update(piece)
            self.size += len(piece)

    def add(self, piece: bytes) -> None:
        self._sink.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def start_again(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._digest, self.size = hashlib.md5(usedforsecurity=False), 0

    def matches(self, file: DriveFile) -> bool:
        return (self.size, self._digest.hexdigest()) == (file.size, file.md5)


def download(client: GoogleClient, file: DriveFile, target: Path) -> None:
    """Make ``target`` hold the file, or leave it as it was.

    A large file's unfinished part waits beside ``target`` and is gone on with, by this process or another.

    Raises:
        FileError: the file is gone, may not be read, or came damaged twice.
        FileChangedError: its content is no longer what the look saw.
        UnreachableError: Google did not deliver.
    """
    if file.size <= IN_MEMORY_BYTES:
        memory = io.BytesIO()
        _bring(client, file, _Arriving(memory))
        write_atomically(target, [memory.getvalue()])
        return
    part = target.with_name(f".{target.name}.{file.md5}.part")
    with _held(part, target, file) as descriptor, _PartFile(descriptor, target) as sink:
        _bring(client, file, _Arriving(sink))
        publish(part, target)


def _bring(client: GoogleClient, file: DriveFile, arriving: _Arriving) -> None:
    """Let all bytes arrive and check them; what proves wrong is thrown away and fetched once more."""
    for _ in range(2):
        try:
            while arriving.size < file.size:
                client.trying(lambda: _transfer(client, file, arriving))
        except UnreachableError as fault:
            if isinstance(fault.__cause__, _WrongRangeError):
                arriving.start_again()  # or the next run would ask for the same range
            raise UnreachableError(f"{file.path}: {fault}") from fault
        except RefusedError as fault:
            if fault.status != _NO_SUCH_RANGE:
                raise _refused(file, fault) from fault
        if arriving.matches(file):
            return
        arriving.start_again()
        _check_unchanged(client, file)
    raise FileError(f"{file.path}: the bytes that Google Drive sends do not have the md5 that it tells.")


def _transfer(client: GoogleClient, file: DriveFile, arriving: _Arriving) -> None:
    """Take what one request gives. Broken off early is worth another try; after a good deal, a fresh start of them."""
    start = arriving.size
    with client.content(file.id, {"Range": f"bytes={start}-"} if start else {}) as response:
        _check_range(response, start, file)
        for piece in _pieces(client, response):
            if arriving.size + len(piece) > file.size:
                arriving.start_again()
                raise _changed(file)
            arriving.add(piece)
    if arriving.size < file.size and arriving.size - start < CHUNK_BYTES:
        raise TryAgainError(f"broke off or dripped at byte {arriving.size:,} of {file.size:,}")


def _check_range(response: requests.Response, start: int, file: DriveFile) -> None:
    """Refuse bytes that do not go on where we are, before taking one of them."""
    told = response.headers.get("Content-Range", "")
    if start == 0 and response.status_code == 200:
        return
    span, _, total = told.removeprefix("bytes ").partition("/")
    if total.isdecimal() and int(total) != file.size:
        raise _changed(file)
    if response.status_code != 206 or not span.startswith(f"{start}-"):
        answer = f"{response.status_code} {told}".strip()
        raise _WrongRangeError(f"answers {answer} when asked to go on at byte {start:,}")


def _pieces(client: GoogleClient, response: requests.Response) -> Iterator[bytes]:
    """Give bytes as they come, until the end, a fault, or a drip; the caller counts whether it was all."""
    retry_policy = client.retry_policy
    since, arrived = time.monotonic(), 0
    while True:
        try:
            piece = response.raw.read1(_PIECE_BYTES, decode_content=False)
        except (HTTPError, OSError):
            return
        if not piece:
            return
        yield piece
        arrived += len(piece)
        elapsed = time.monotonic() - since
        if elapsed >= retry_policy.drip_window_s:
            if arrived < retry_policy.slowest_bytes_per_s * elapsed:
                return
            since, arrived = time.monotonic(), 0


def _check_unchanged(client: GoogleClient, file: DriveFile) -> None:
    """Ask Google whether the file is still what the look saw."""
    try:
        now = client.ask(client.files.get, fileId=file.id, fields="md5Checksum,size,trashed", supportsAllDrives=True)
    except RefusedError as fault:
        raise _refused(file, fault) from fault
    if now.get("trashed") or (now.get("md5Checksum"), str(now.get("size"))) != (file.md5, str(file.size)):
        raise _changed(file)


def _changed(file: DriveFile) -> FileChangedError:
    return FileChangedError(f"{file.path} changed in Google Drive while it was read; the next look takes it.")


def _refused(file: DriveFile, fault: RefusedError) -> FileError:
    return FileError(f"{file.path}: Google Drive says {fault.status}: {fault.message}.")


@contextmanager
def _held(part: Path, target: Path, file: DriveFile) -> Iterator[int]:
    """Give the part file to one process at a time; older parts of the same target are of no more use."""
    with explained(target):
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
