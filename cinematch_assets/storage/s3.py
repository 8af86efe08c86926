"""Objects in an S3 bucket.

Here: the store and its client. Not here: the bucket's own rules (versions, expiry), which its owner sets.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cinematch_assets.storage.atomic_file import locked_staging_path, remove_abandoned, translate_write_errors
from cinematch_assets.storage.base import MissingObjectError, StoreError, check_key, staging_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

S3_PREFIX = "s3://"
_MAX_CONNECTIONS = 40
_MAX_ATTEMPTS = 5
_MISSING = frozenset({"404", "NoSuchKey"})

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
            self.client.upload_file(str(source), self.bucket, self._name(key))

    def put_bytes(self, key: str, content: bytes) -> None:
        """Upload the bytes."""
        with self._translate_errors(key):
            self.client.put_object(Bucket=self.bucket, Key=self._name(key), Body=content)

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
        name = self._name(key)
        with tempfile.TemporaryDirectory(prefix="cinematch-") as folder:
            local = Path(folder) / Path(name).name
            with self._translate_errors(key), translate_write_errors(local):
                self.client.download_file(self.bucket, name, str(local))
            yield local

    def read_bytes(self, key: str) -> bytes:
        """Download the object."""
        with self._translate_errors(key):
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

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{check_key(key)}" if self.prefix else check_key(key)

    @contextmanager
    def _translate_errors(self, key: str) -> Iterator[None]:
        """Turn S3's refusals into a ``StoreError`` that names object and setting, and log them."""
        from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415  (see open_s3_client)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        where = f"{S3_PREFIX}{self.bucket}/{self.prefix} (CINEMATCH_STORE)"
        try:
            yield
        except (ClientError, BotoCoreError, S3UploadFailedError) as fault:
            if isinstance(fault, ClientError) and fault.response.get("Error", {}).get("Code") in _MISSING:
                raise MissingObjectError(f"There is no {key} in the store {where}.") from fault
            logger.warning("S3 refuses %r in %s%s: %s", key, S3_PREFIX, self.bucket, fault)
            raise StoreError(f"{key} in the store {where}: {fault}.") from fault


def open_s3_client() -> "S3Client":
    """Make a client from AWS's usual variables; nothing is sent yet."""
    import boto3  # noqa: PLC0415  half a second that a local store need not pay
    from botocore.config import Config  # noqa: PLC0415

    config = Config(max_pool_connections=_MAX_CONNECTIONS, retries={"mode": "standard", "max_attempts": _MAX_ATTEMPTS})
    return boto3.client("s3", config=config)
