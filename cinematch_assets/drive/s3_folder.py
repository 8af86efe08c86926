"""A folder in an S3 bucket, read as a local one is: the keys below a prefix are its paths.

Here: listing, hashing what changed, downloading. Not here: the client and how it reads (``storage.s3``), what the files
mean (``reading``).

An ETag is the md5 of some objects only, not of those uploaded in parts or encrypted by a key of KMS, and nothing in a
listing tells which. So an object's content is hashed, once a process for each ETag; it tells only that it changed.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from cinematch_assets.drive.folder import (
    HIDDEN,
    DriveError,
    FileChangedError,
    FileError,
    FolderListing,
    Look,
    LookLimits,
    UnreachableError,
    name_fault,
    path_id,
    shown_name,
)
from cinematch_assets.storage.atomic_file import write_atomically
from cinematch_assets.storage.s3 import MISSING, REPLACED, S3_PREFIX, error_code, open_s3_client, read_version
from cinematch_assets.table_names import is_read
from cinematch_assets.values import DriveFile, SkippedEntry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HASHING_THREADS = 32
_MAX_REMEMBERED = 500_000
_SERVER_ERROR = 500

_Version = tuple[str, str, str, str, int]
"""Endpoint, bucket, key, ETag and size of an object."""
_remembered_md5: dict[_Version, str] = {}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Object:
    """An object of a listing."""

    key: str
    path: str
    etag: str
    size: int


def open_s3_folder(spec: str) -> "S3Folder":
    """Open ``s3://bucket/prefix`` with AWS's usual variables; nothing is requested yet.

    Raises:
        DriveError: The address names no bucket.
    """
    bucket, _, prefix = spec.removeprefix(S3_PREFIX).partition("/")
    if not bucket:
        raise DriveError(f"CINEMATCH_DRIVE={spec} names no bucket: write s3://bucket/prefix.")
    return S3Folder(bucket, prefix.strip("/"), open_s3_client())


@dataclass(frozen=True, slots=True)
class S3Folder:
    """The objects of a bucket below a prefix; may be used by several threads at once."""

    bucket: str
    prefix: str
    client: "S3Client"

    @property
    def spec(self) -> str:
        """The value of ``CINEMATCH_DRIVE``."""
        return f"{S3_PREFIX}{self.bucket}/{self.prefix}".rstrip("/")

    def list_files(
        self,
        under: str = "",
        *,
        recursive: bool = True,
        is_wanted: Callable[[str], bool] = is_read,
        limits: LookLimits = LookLimits(),  # noqa: B008 - frozen
    ) -> FolderListing:
        """List the keys; the content of what is wanted and has not been seen yet is read and hashed."""
        look = Look(limits, is_wanted)
        wanted: list[_Object] = []
        for entry in self._entries(under, look, recursive=recursive):
            if look.is_over(under):
                break
            look.entries += 1
            if isinstance(entry, str):
                look.others.append(entry)
            elif isinstance(entry, SkippedEntry):
                look.add(entry)
            elif is_wanted(entry.path):
                wanted.append(entry)
            else:
                look.others.append(entry.path)
        with ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="s3-hashing") as pool:
            for described in pool.map(lambda found: None if look.time_is_up() else self._describe(found), wanted):
                if described is not None:
                    look.add(described)
        look.is_over(under)
        return look.listing()

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Download the object and hash it on the way; ``target`` appears only when size and md5 are the listed ones."""
        write_atomically(target, self._content(file))

    def _entries(self, under: str, look: Look, *, recursive: bool) -> Iterator["_Object | SkippedEntry | str"]:
        """Give the objects below ``under``, what cannot be one of the files, and sub-folders that are not entered.

        Credentials may be allowed to list some prefixes and not others: an inner one is skipped with its reason.
        """
        try:
            yield from self._listed(under, recursive=recursive)
        except ClientError as fault:
            if under and error_code(fault) == "AccessDenied":
                look.skip(under, "cannot be listed: S3 says AccessDenied; let these credentials list it")
                return
            raise self._refused(fault) from fault
        except BotoCoreError as fault:
            raise self._unreachable(fault) from fault

    def _listed(self, under: str, *, recursive: bool) -> Iterator["_Object | SkippedEntry | str"]:
        below = f"{self.prefix}/" if self.prefix else ""
        start = below + (f"{under.strip('/')}/" if under else "")
        options: dict[str, Any] = {} if recursive else {"Delimiter": "/"}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start, **options):
            for folder in page.get("CommonPrefixes", ()):
                path = folder["Prefix"].removeprefix(below)
                if not path.removeprefix(f"{under}/").startswith(HIDDEN):
                    yield shown_name(path)
            for entry in page.get("Contents", ()):
                path = entry["Key"].removeprefix(below)
                if path.endswith("/") or not path:
                    continue  # stands for an empty folder
                if fault := _path_fault(path):
                    yield SkippedEntry(shown_name(path), fault)
                elif not any(part.startswith(HIDDEN) for part in path.split("/")):
                    yield _Object(entry["Key"], path, entry["ETag"], entry["Size"])

    def _describe(self, found: _Object) -> DriveFile | SkippedEntry:
        """Describe an object by its content, or say why it cannot be read."""
        version = (self.client.meta.endpoint_url, self.bucket, found.key, found.etag, found.size)
        md5 = _remembered_md5.get(version)
        try:
            if md5 is None:
                digest = hashlib.md5(usedforsecurity=False)
                for chunk in read_version(self.client, self.bucket, found.key, found.etag):
                    digest.update(chunk)
                md5 = digest.hexdigest()
                _remember(version, md5)
        except ClientError as fault:
            code = error_code(fault)
            if code in REPLACED or code in MISSING:
                return SkippedEntry(found.path, "is being replaced", for_now=True)
            return SkippedEntry(found.path, f"cannot be read: S3 says {code}")
        except BotoCoreError as fault:
            logger.warning("S3 breaks off %r: %s", found.path, fault)
            return SkippedEntry(found.path, "cannot be read to its end just now", for_now=True)
        name = found.path.rpartition("/")[2]
        return DriveFile(id=path_id("s3", found.path), path=found.path, name=name, size=found.size, md5=md5)

    def _content(self, file: DriveFile) -> Iterator[bytes]:
        """Give the file's bytes; raise at their end when they are not the listed ones."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        key = f"{self.prefix}/{file.path}" if self.prefix else file.path
        try:
            etag = self.client.head_object(Bucket=self.bucket, Key=key)["ETag"]
            for chunk in read_version(self.client, self.bucket, key, etag):
                digest.update(chunk)
                size += len(chunk)
                yield chunk
        except ClientError as fault:
            code = error_code(fault)
            if code in MISSING:
                raise FileError(f"{file.path} is no longer in {self.spec}.") from fault
            if code in REPLACED:
                raise self._changed(file) from fault
            raise FileError(f"{file.path} in {self.spec} cannot be read: S3 says {code}.") from fault
        except BotoCoreError as fault:
            raise self._unreachable(fault) from fault
        if (size, digest.hexdigest()) != (file.size, file.md5):
            raise self._changed(file)

    def _changed(self, file: DriveFile) -> FileChangedError:
        return FileChangedError(
            f"{file.path} in {self.spec} changed while it was read; the next listing has the new content."
        )

    def _refused(self, fault: ClientError) -> DriveError:
        logger.warning("S3 refuses to list %s: %s", self.spec, fault)
        if fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR:
            return UnreachableError(f"S3 says {error_code(fault)} to a listing of {self.spec} (CINEMATCH_DRIVE).")
        return DriveError(
            f"S3 says {error_code(fault)} to a listing of {self.spec} (CINEMATCH_DRIVE): check the bucket's name, "
            "its region, and that these credentials may list and read it."
        )

    def _unreachable(self, fault: BotoCoreError) -> DriveError:
        logger.warning("S3 cannot be used for %s: %s", self.spec, fault)
        if isinstance(fault, NoCredentialsError | PartialCredentialsError):
            return DriveError(
                f"{self.spec} (CINEMATCH_DRIVE) cannot be read without AWS credentials ({_first_line(fault)}): set "
                "AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role."
            )
        return UnreachableError(f"{self.spec} (CINEMATCH_DRIVE) cannot be reached: {_first_line(fault)}.")


def _path_fault(path: str) -> str:
    """Return why a key cannot be a path of the folder; empty when it can."""
    if any(part in ("", "..") for part in path.split("/")):
        return "has a key with an empty step or '..'"
    return name_fault(path)


def _first_line(fault: BotoCoreError) -> str:
    return str(fault).splitlines()[0][:200].rstrip(".") if str(fault) else type(fault).__name__


def _remember(version: _Version, md5: str) -> None:
    if len(_remembered_md5) >= _MAX_REMEMBERED:
        _remembered_md5.clear()
    _remembered_md5[version] = md5
