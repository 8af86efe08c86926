"""Bring a table's file from the folder into the store, and record it.

Here: one file of one table, without the rows of users who were erased. Not here: reading its rows
(``pipeline.ingest.load_tables``), who was erased (``pipeline.suppression``).
"""

import hashlib
import logging
from pathlib import Path

from cinematch_assets.drive.folder import find_table
from cinematch_assets.drive.landing import Landed, cleaned_key, land, landing_key
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.suppression import Suppression, read_suppression
from cinematch_assets.reading.people import leave_out_people
from cinematch_assets.storage.base import Store
from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.erasures import CleanedFile, find_cleaned_file
from cinematch_assets.warehouse.landed_files import record_landing

_LOG = logging.getLogger(__name__)


def land_table(platform: Platform, table: str) -> Landed:
    """Land ``movies``, ``ratings`` or ``batches/<batch_id>``, verified, unless its content is landed.

    It is landed unchanged, but for rows of erased users: they are left out before it is in the store.
    """
    file = find_table(platform.folder, table)
    with log_phase(_LOG, f"land {file.path}"):
        suppression = Suppression() if table == "movies" else read_suppression(platform)
        if suppression.known:
            return _land_cleaned(platform, file, suppression)
        landed = land(platform.folder, file, platform.store)
        known = None if table == "movies" else 0
        platform.warehouse.run(record_landing, file.path, file.md5, file.size, landed.key, known=known)
    return landed


def _land_cleaned(platform: Platform, file: DriveFile, suppression: Suppression) -> Landed:
    """Land a file as ``land`` does, without the rows of erased users; the same content again fetches nothing."""
    store, known = platform.store, suppression.known
    stored = platform.warehouse.run(find_cleaned_file, file.path, file.md5, known)
    if stored is not None and store.exists(stored[0]):
        key, md5, size = stored
        unchanged = True
    else:
        unchanged, whole = False, landing_key(file)
        with store.staged(whole) as unfinished:
            platform.folder.fetch(file, unfinished)
            cleaned = clean_object(store, unfinished, file.path, whole, suppression)
            if cleaned is not None:
                unfinished.unlink()
        key, md5, size = (whole, file.md5, file.size) if cleaned is None else (cleaned.key, cleaned.md5, cleaned.size)
    record = (file.path, file.md5, file.size, key)
    platform.warehouse.run(record_landing, *record, known=known, stored=None if md5 == file.md5 else (md5, size))
    return Landed(key, file.name, file.size, file.md5, store.written_at(key), unchanged=unchanged)


def clean_object(
    store: Store, local: Path, name: str, key: str, suppression: Suppression, staging: Path | None = None
) -> CleanedFile | None:
    """Store the file at ``local`` without the rows of erased users, beside ``key``; None when it has none of them.

    Args:
        store: where the new object goes.
        local: the file as it was dropped.
        name: its name in messages.
        key: of the object that it is, or would be.
        suppression: who was erased.
        staging: folder for the unfinished file; by default that of ``local``.
    """
    target = (staging or local.parent) / f"{local.name}.cleaned"
    try:
        removed = leave_out_people(local, name, target, suppression.of_people)
        if len(removed) == 0:
            return None
        with target.open("rb") as content:
            md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        new_key = cleaned_key(key, md5)
        store.put(new_key, target)
        return CleanedFile(new_key, md5, target.stat().st_size, removed.tolist())
    finally:
        target.unlink(missing_ok=True)
