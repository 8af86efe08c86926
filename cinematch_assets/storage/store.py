"""Objects by key: landed files, models, reports, on this machine or in S3.

Here: writing whole, reading, listing. Not here: what the objects are or how their keys are made.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.storage.atomic_file import explained, held, publish, swept, write_atomically

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES = 1 << 20
_S3_PREFIX = "s3://"
_STAGING = ".staging"
_LONGEST_KEY_BYTES = 1024
_LONGEST_PART_BYTES = 240


class StoreError(SurroundingsError):
    """The store cannot do what was asked; the message names the object."""


class MissingObjectError(StoreError):
    """There is no such object."""


class Store(Protocol):
    """Objects by key. Keys look like ``models/run_1234_v1.npz``; may be used by several threads at once."""

    def put(self, key: str, source: Path) -> None:
        """Store a copy of a local file; readers see the old object or the new one."""

    def put_bytes(self, key: str, content: bytes) -> None:
        """Store ``content``; readers see the old object or the new one."""

    def staged(self, key: str) -> AbstractContextManager[Path]:
        """Give a local path whose file becomes the object when the block ends well.

        The path is the same for the same key, so that work cut off can go on; only one holder has it at a time,
        the next one waits. Nothing is stored when nothing was written.
        """

    def path(self, key: str) -> AbstractContextManager[Path]:
        """Give the object as a local file for the length of the block; it must not be written to."""

    def read_bytes(self, key: str) -> bytes:
        """Give the object's content."""

    def exists(self, key: str) -> bool:
        """Say whether there is such an object."""

    def delete(self, key: str) -> None:
        """Remove the object; none is fine too."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Give the keys that start with ``prefix``, in order."""

    def size(self, key: str) -> int:
        """Give the object's bytes."""

    def written_at(self, key: str) -> datetime:
        """Give the time (UTC) at which the object was stored."""

    def uri(self, key: str) -> str:
        """Give the address of the object for people and other programs."""

    def forget_unfinished(self, older_than: timedelta) -> int:
        """Remove what killed processes left half-written and nobody has gone on with; give how many."""


def open_store(url: str, *, scratch: Path | None = None) -> Store:
    """Open a local path, or ``s3://bucket/prefix`` with AWS's usual variables; nothing is read or written yet.

    ``scratch`` is where unfinished files wait before they go to S3; by default below the system's temporary folder.
    """
    if url.startswith(_S3_PREFIX):
        bucket, _, prefix = url.removeprefix(_S3_PREFIX).partition("/")
        if not bucket:
            raise StoreError(f"CINEMATCH_STORE={url} names no bucket: write s3://bucket/prefix.")
        return S3Store(bucket, prefix.strip("/"), _s3_client(), scratch or _default_scratch(url))
    if "://" in url:
        raise StoreError(f"CINEMATCH_STORE={url} is neither a path nor s3://bucket/prefix.")
    return LocalStore(Path(url).absolute())


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Objects as files below ``root``; unfinished ones wait in a hidden folder there."""

    root: Path

    def put(self, key: str, source: Path) -> None:
        """Copy the file in, forced to disk before it takes its name."""
        write_atomically(self._file(key), _chunks(source), beside=self.root / _STAGING)

    def put_bytes(self, key: str, content: bytes) -> None:
        """Write the bytes, forced to disk before they take their name."""
        write_atomically(self._file(key), [content], beside=self.root / _STAGING)

    @contextmanager
    def staged(self, key: str) -> Iterator[Path]:
        """Give a path in the hidden folder, renamed to the object at the end."""
        target = self._file(key)
        with held(self.root / _STAGING / _flat(key)) as unfinished:
            yield unfinished
            if unfinished.exists():
                publish(unfinished, target)

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Give the object's own file."""
        yield self._existing(key)

    def read_bytes(self, key: str) -> bytes:
        """Read the file."""
        return self._existing(key).read_bytes()

    def exists(self, key: str) -> bool:
        """FolderListing for the file."""
        return self._file(key).is_file()

    def delete(self, key: str) -> None:
        """Remove the file; empty folders stay."""
        file = self._file(key)
        with explained(file):
            file.unlink(missing_ok=True)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Walk the folder that the prefix reaches into; hidden files are not objects."""
        start = self.root / prefix.rpartition("/")[0]
        if not start.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(f"The prefix {prefix!r} leads out of the store {self.root}.")
        found = (file.relative_to(self.root) for file in start.rglob("*") if file.is_file())
        visible = (str(file) for file in found if not any(part.startswith(".") for part in file.parts))
        yield from sorted(key for key in visible if key.startswith(prefix))

    def size(self, key: str) -> int:
        """Ask the file system."""
        return self._existing(key).stat().st_size

    def written_at(self, key: str) -> datetime:
        """Ask the file system."""
        return datetime.fromtimestamp(self._existing(key).stat().st_mtime, tz=UTC)

    def uri(self, key: str) -> str:
        """Give a ``file://`` address."""
        return self._file(key).as_uri()

    def forget_unfinished(self, older_than: timedelta) -> int:
        """Sweep the hidden folder."""
        return swept(self.root / _STAGING, older_than)

    def _file(self, key: str) -> Path:
        file = self.root / _checked(key)
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(f"The key {key!r} leads out of the store {self.root}.")
        return file

    def _existing(self, key: str) -> Path:
        file = self._file(key)
        if not file.is_file():
            raise MissingObjectError(f"There is no {key} in the store {self.root} (CINEMATCH_STORE).")
        return file


@dataclass(frozen=True, slots=True)
class S3Store:
    """Objects in a bucket, below a prefix; S3 shows an object whole or not at all by itself."""

    bucket: str
    prefix: str
    client: "S3Client"
    scratch: Path

    def put(self, key: str, source: Path) -> None:
        """Upload the file, in parts when it is large."""
        with self._asking(key):
            self.client.upload_file(str(source), self.bucket, self._name(key))

    def put_bytes(self, key: str, content: bytes) -> None:
        """Upload the bytes."""
        with self._asking(key):
            self.client.put_object(Bucket=self.bucket, Key=self._name(key), Body=content)

    @contextmanager
    def staged(self, key: str) -> Iterator[Path]:
        """Give a path in the scratch folder, uploaded at the end; only this machine's processes wait for each other."""
        _checked(key)
        with held(self.scratch / _flat(key)) as unfinished:
            yield unfinished
            if unfinished.exists():
                self.put(key, unfinished)
                unfinished.unlink()

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Download the object into a folder that goes away at the end."""
        name = self._name(key)
        with tempfile.TemporaryDirectory(prefix="cinematch-") as folder:
            local = Path(folder) / Path(name).name
            with self._asking(key), explained(local):
                self.client.download_file(self.bucket, name, str(local))
            yield local

    def read_bytes(self, key: str) -> bytes:
        """Download the object."""
        with self._asking(key):
            return self.client.get_object(Bucket=self.bucket, Key=self._name(key))["Body"].read()

    def exists(self, key: str) -> bool:
        """Ask for the object's head."""
        try:
            self.size(key)
        except MissingObjectError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove the object."""
        with self._asking(key):
            self.client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Page through the listing, which S3 gives in order of the names' bytes."""
        below = f"{self.prefix}/" if self.prefix else ""
        with self._asking(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below + prefix)
            found = [entry["Key"].removeprefix(below) for page in pages for entry in page.get("Contents", ())]
        yield from found

    def size(self, key: str) -> int:
        """Ask for the object's head."""
        with self._asking(key):
            return self.client.head_object(Bucket=self.bucket, Key=self._name(key))["ContentLength"]

    def written_at(self, key: str) -> datetime:
        """Ask for the object's head."""
        with self._asking(key):
            return self.client.head_object(Bucket=self.bucket, Key=self._name(key))["LastModified"]

    def uri(self, key: str) -> str:
        """Give an ``s3://`` address."""
        return f"{_S3_PREFIX}{self.bucket}/{self._name(key)}"

    def forget_unfinished(self, older_than: timedelta) -> int:
        """Sweep the scratch folder; S3 itself keeps nothing unfinished but parts, which a rule of the bucket ends."""
        return swept(self.scratch, older_than)

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{_checked(key)}" if self.prefix else _checked(key)

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Turn S3's refusals into one sentence."""
        from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415  (see _s3_client)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        where = f"{_S3_PREFIX}{self.bucket}/{self.prefix} (CINEMATCH_STORE)"
        try:
            yield
        except ClientError as fault:
            if fault.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
                raise MissingObjectError(f"There is no {key} in the store {where}.") from fault
            raise StoreError(f"{key} in the store {where}: {fault}.") from fault
        except (BotoCoreError, S3UploadFailedError) as fault:
            raise StoreError(f"{key} in the store {where}: {fault}.") from fault


def _s3_client() -> "S3Client":
    import boto3  # noqa: PLC0415  half a second that a local store need not pay
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client("s3", config=Config(max_pool_connections=40, retries={"mode": "standard", "max_attempts": 5}))


def _default_scratch(url: str) -> Path:
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"cinematch-{os.getuid()}" / name


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as fault:
        raise StoreError(f"{source}: cannot be read ({fault.strerror}).") from fault


def _checked(key: str) -> str:
    """Refuse keys that could mean a place outside the store, or that not every store can hold."""
    parts = key.split("/")
    good = (
        all(part and not part.startswith(".") and len(part.encode()) <= _LONGEST_PART_BYTES for part in parts)
        and "\\" not in key
        and key.isprintable()
        and len(key.encode()) <= _LONGEST_KEY_BYTES
    )
    if not good:
        raise StoreError(
            f"{key[:80]!r} cannot be a key: write names separated by '/', none empty or starting with '.'."
        )
    return key


def _flat(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
