"""A store by its address: a path, or ``s3://bucket/prefix``.

Here: the choice. Not here: what a store is (``storage.base``), how each kind works (``storage.local``, ``storage.s3``).
"""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from cinematch_assets.private_files import FOLDER_MODE
from cinematch_assets.storage.base import Store, StoreError
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.storage.s3 import S3_PREFIX, S3Store, open_s3_client
from cinematch_assets.urls import NO_USER_INFO, has_user_info


def open_store(url: str, *, scratch: Path | None = None) -> Store:
    """Open a local path, or ``s3://bucket/prefix`` with AWS's usual variables; nothing is read or written yet.

    ``scratch`` is the folder for files not yet uploaded to S3; by default one below the system's temporary folder.

    Raises:
        StoreError: The address is neither, or holds credentials; then no part of it is repeated.
    """
    if has_user_info(url):
        raise StoreError(f"the address of a store cannot be used: {NO_USER_INFO}.")
    if url.startswith(S3_PREFIX):
        bucket, _, prefix = url.removeprefix(S3_PREFIX).partition("/")
        if not bucket:
            raise StoreError(f"CINEMATCH_STORE={url} names no bucket: write s3://bucket/prefix.")
        return S3Store(bucket, prefix.strip("/"), open_s3_client(), scratch or _default_scratch(url))
    if "://" in url:
        raise StoreError(f"CINEMATCH_STORE={url} is neither a path nor s3://bucket/prefix.")
    return LocalStore(Path(url).absolute())


def _default_scratch(url: str) -> Path:
    """Return a folder that depends on user and store alone, so that another process can resume the work in it.

    Everyone may make a folder of that name there before: one that is not this user's alone is not used.
    """
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    ours = Path(tempfile.gettempdir()) / f"cinematch-{os.geteuid()}"
    with suppress(FileExistsError):
        ours.mkdir(mode=FOLDER_MODE)
    facts = ours.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise StoreError(f"{ours} is not a folder of this user alone: remove it, or set TMPDIR to a folder of your own")
    return ours / name
