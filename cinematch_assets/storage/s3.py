"""Objects in an S3 bucket.

Here: the store, its client, reading one version of an object to its end. Not here: the bucket's own rules (versions,
expiry), which its owner sets; the folder of dropped files (``drive.s3_folder``).

Requests are tried again by boto3, which also sends a checksum with each upload that S3 compares. What boto3 leaves
open is closed here: a body that breaks off is resumed, and what arrives is compared with the SHA-256 that was stored
beside the object, whatever parts it was uploaded in.
"""

import hashlib
import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cinematch_assets.storage.atomic_file import locked_staging_path, remove_abandoned, translate_write_errors
from cinematch_assets.storage.base import MissingObjectError, StoreError, check_key, staging_name

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

S3_PREFIX = "s3://"
_MAX_CONNECTIONS = 40
_MAX_ATTEMPTS = 5
_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 30.0
"""S3 answers within a second or two; boto3's own 60 s, five times, would keep a run waiting for five minutes."""
_MAX_BROKEN_READS = 5
"""A transfer that breaks off so many times without a byte in between is given up."""
_MAX_READINGS = 3
"""So often an object is read that arrives altered, or is replaced in the middle."""
_CHUNK_BYTES = 1 << 20
_DIGEST = "sha256"
"""Name of the object's metadata that holds the digest of its content."""
MISSING = frozenset({"404", "NoSuchKey"})
REPLACED = frozenset({"412", "PreconditionFailed"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class S3Store:
    """Objects in a bucket, below a prefix; S3 itself shows an object complete or not at all."""

    bucket: str
    prefix: str
    client: "S3Client"
    scratch: Path
    """Folder on this machine for unfinished objects."""

    def put(self, key: str, source: Path) -> None:
        """Upload the file, in parts when it is large."""
        with self._translate_errors(key):
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, _DIGEST).hexdigest()
            self.client.upload_file(
                str(source), self.bucket, self._name(key), ExtraArgs={"Metadata": {_DIGEST: digest}}
            )

    def put_bytes(self, key: str, content: bytes) -> None:
        """Upload the bytes."""
        with self._translate_errors(key):
            self.client.put_object(
                Bucket=self.bucket,
                Key=self._name(key),
                Body=content,
                Metadata={_DIGEST: hashlib.sha256(content).hexdigest()},
            )

    @contextmanager
    def staged(self, key: str) -> Iterator[Path]:
        """Give a path in the scratch folder, uploaded at the end; only processes of this machine exclude each other."""
        check_key(key)
        with locked_staging_path(self.scratch / staging_name(key)) as unfinished:
            yield unfinished
            if unfinished.exists():
                self.put(key, unfinished)
                unfinished.unlink()

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Download the object into a folder that is removed at the end."""
        name = Path(self._name(key)).name
        with tempfile.TemporaryDirectory(prefix="cinematch-") as folder:
            local = Path(folder) / name
            with translate_write_errors(local), local.open("wb") as file:
                self._download(key, file)
            yield local

    def read_bytes(self, key: str) -> bytes:
        """Download the object."""
        content = io.BytesIO()
        self._download(key, content)
        return content.getvalue()

    def _download(self, key: str, file: BinaryIO) -> None:
        """Write the object's content into the file, which is empty.

        Raises:
            StoreError: It cannot be read to its end, or what arrives is not what was stored.
        """
        from botocore.exceptions import ClientError, FlexibleChecksumError  # noqa: PLC0415  (see open_s3_client)

        for _ in range(_MAX_READINGS):
            file.seek(0)
            file.truncate()
            digest = hashlib.new(_DIGEST, usedforsecurity=False)
            with self._translate_errors(key):
                head = self.client.head_object(Bucket=self.bucket, Key=self._name(key))
                try:
                    for chunk in read_version(self.client, self.bucket, self._name(key), head["ETag"]):
                        digest.update(chunk)
                        file.write(chunk)
                except FlexibleChecksumError as fault:
                    logger.warning("S3 gives %r in %s%s altered: %s", key, S3_PREFIX, self.bucket, fault)
                    continue
                except ClientError as fault:
                    if error_code(fault) not in REPLACED:
                        raise
                    continue
            # Objects that another program put there have no digest of ours.
            if head["Metadata"].get(_DIGEST) in (None, digest.hexdigest()):
                return
            logger.warning("S3 gives %r in %s%s altered: its SHA-256 differs", key, S3_PREFIX, self.bucket)
        raise StoreError(
            f"{key} in the store {self._where}: what arrives is not what was stored, or it is replaced all the time; "
            f"read {_MAX_READINGS} times."
        )

    def exists(self, key: str) -> bool:
        """Ask for the object's head."""
        try:
            self.size(key)
        except MissingObjectError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove the object."""
        with self._translate_errors(key):
            self.client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Page through the listing, which S3 gives in order of the names' bytes."""
        below = f"{self.prefix}/" if self.prefix else ""
        with self._translate_errors(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below + prefix)
            found = [entry["Key"].removeprefix(below) for page in pages for entry in page.get("Contents", ())]
        yield from found

    def size(self, key: str) -> int:
        """Ask for the object's head."""
        with self._translate_errors(key):
            return self.client.head_object(Bucket=self.bucket, Key=self._name(key))["ContentLength"]

    def written_at(self, key: str) -> datetime:
        """Ask for the object's head."""
        with self._translate_errors(key):
            return self.client.head_object(Bucket=self.bucket, Key=self._name(key))["LastModified"]

    def uri(self, key: str) -> str:
        """Return an ``s3://`` address."""
        return f"{S3_PREFIX}{self.bucket}/{self._name(key)}"

    def remove_abandoned(self, older_than: timedelta) -> int:
        """Clean the scratch folder; parts of uploads that S3 keeps are ended by a lifecycle rule of the bucket."""
        return remove_abandoned(self.scratch, older_than)

    @property
    def _where(self) -> str:
        return f"{S3_PREFIX}{self.bucket}/{self.prefix} (CINEMATCH_STORE)"

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{check_key(key)}" if self.prefix else check_key(key)

    @contextmanager
    def _translate_errors(self, key: str) -> Iterator[None]:
        """Turn S3's refusals into a ``StoreError`` that names object and setting, and log them."""
        from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415  (see open_s3_client)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except (ClientError, BotoCoreError, S3UploadFailedError) as fault:
            if isinstance(fault, ClientError) and error_code(fault) in MISSING:
                raise MissingObjectError(f"There is no {key} in the store {self._where}.") from fault
            logger.warning("S3 refuses %r in %s%s: %s", key, S3_PREFIX, self.bucket, fault)
            raise StoreError(f"{key} in the store {self._where}: {fault}.") from fault


def read_version(client: "S3Client", bucket: str, name: str, etag: str) -> Iterator[bytes]:
    """Give the bytes of one version of an object; a transfer that breaks off is resumed.

    Raises:
        ClientError: With a code of ``MISSING`` or ``REPLACED`` when this version is no longer there.
        FlexibleChecksumError: All of it arrived, but not as it was uploaded.
        BotoCoreError: It broke off too often.
    """
    from botocore.exceptions import BotoCoreError, FlexibleChecksumError  # noqa: PLC0415  (see open_s3_client)

    position, broken = 0, 0
    while True:
        options: dict[str, Any] = {"IfMatch": etag} | ({"Range": f"bytes={position}-"} if position else {})
        try:
            answer = client.get_object(Bucket=bucket, Key=name, **options)
            size = position + answer["ContentLength"]
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                position, broken = position + len(chunk), 0
                yield chunk
        except FlexibleChecksumError:
            raise
        except BotoCoreError as fault:
            broken += 1
            if broken >= _MAX_BROKEN_READS:
                raise
            logger.info("S3 breaks off %r at byte %s: %s", name, f"{position:,}", fault)
        else:
            if position >= size:
                return


def error_code(fault: "ClientError") -> str:
    """Return the code of S3's refusal, such as ``NoSuchKey``."""
    return str(fault.response.get("Error", {}).get("Code", "an error"))


def open_s3_client(*, read_timeout_s: float = _READ_TIMEOUT_S, max_attempts: int = _MAX_ATTEMPTS) -> "S3Client":
    """Make a client from AWS's usual variables; nothing is sent yet."""
    import boto3  # noqa: PLC0415  half a second that a local store need not pay
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        max_pool_connections=_MAX_CONNECTIONS,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "max_attempts": max_attempts},
    )
    return boto3.client("s3", config=config)
