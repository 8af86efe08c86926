"""Changes in the folder since the last load: contents that are in no table yet.

Here: comparing a listing of the folder with what was loaded or refused. Not here: Dagster's requests
(``defs.automation.drive_sensor``).
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from cinematch_assets.drive.folder import FolderListing
from cinematch_assets.pipeline.ingest.netflix_collection import FOLDER, list_collection
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import (
    BATCH_ID_RULE,
    TABLE_SUFFIXES,
    batch_id_of,
    is_file_of,
    several_files_message,
)
from cinematch_assets.values import DriveFile, SkippedEntry
from cinematch_assets.warehouse.collection_ledger import list_processed_files
from cinematch_assets.warehouse.landed_files import RefusedContent, list_processed_contents, list_refused_contents

_TABLES = ("movies", "ratings")


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """Contents that are neither loaded nor refused yet, and entries of the folder that cannot be used."""

    batches: tuple[tuple[str, str], ...]
    """(batch_id, md5), by batch_id."""

    tables: tuple[tuple[str, str], ...]
    """(table, md5) of the new contents of ``movies`` and ``ratings``."""

    collection_key: str
    """Identifies the contents of the whole movie collection; empty when none is new."""

    left_out: tuple[SkippedEntry, ...]
    """Entries that are left alone; of the collection one for all."""

    refused: tuple[RefusedContent, ...]
    """Contents in the folder that were refused, and are not read again as they are."""


def find_folder_changes(platform: Platform) -> FolderChanges:
    """Compare the folder's contents (never its times) with those that were loaded or refused."""
    tables = platform.folder.list_files("", recursive=False)
    batches = platform.folder.list_files("batches", recursive=False)
    collection = list_collection(platform.folder)
    with platform.warehouse.session() as session:
        processed = session.run(list_processed_contents)
        processed_movies = session.run(list_processed_files)
        refused = session.run(list_refused_contents)
    left_out = [*tables.skipped, *batches.skipped]
    if collection.skipped:
        first = collection.skipped[0]
        reason = f"{len(collection.skipped):,} entries are skipped, the first is {first.path}: {first.reason}"
        left_out.append(SkippedEntry(FOLDER, reason, for_now=all(entry.for_now for entry in collection.skipped)))
    changed_batches, unusable = _changed_batches(batches, processed, platform.folder.spec)
    listed = {(file.path, file.md5) for file in (*tables.files, *batches.files)}
    return FolderChanges(
        batches=changed_batches,
        tables=tuple(
            (table, file.md5)
            for table in _TABLES
            for file in tables.files
            if is_file_of(file.path, table) and (file.path, file.md5) not in processed
        ),
        collection_key=_collection_key(collection, processed_movies),
        left_out=(*left_out, *unusable),
        refused=tuple(each for each in refused if (each.path, each.md5) in listed & processed),
    )


def _changed_batches(
    listing: FolderListing, processed: set[tuple[str, str]], folder: str
) -> tuple[tuple[tuple[str, str], ...], list[SkippedEntry]]:
    """Return (batch_id, md5) of each new content, and an entry for each file that cannot be a batch."""
    changed, unusable = [], []
    by_batch: dict[str, list[DriveFile]] = defaultdict(list)
    for file in listing.files:
        batch_id = batch_id_of(PurePosixPath(file.path).name)
        if batch_id is None:
            reason = f"not a batch: name it {BATCH_ID_RULE}, then {' or '.join(TABLE_SUFFIXES)}"
            unusable.append(SkippedEntry(file.path, reason))
        else:
            by_batch[batch_id].append(file)
    for batch_id, files in sorted(by_batch.items()):
        if len(files) > 1:
            message = several_files_message((file.path for file in files), folder)
            unusable.append(SkippedEntry(f"batches/{batch_id}", message))
        elif (files[0].path, files[0].md5) not in processed:
            changed.append((batch_id, files[0].md5))
    return tuple(changed), unusable


def _collection_key(listing: FolderListing, processed: set[tuple[str, str]]) -> str:
    """Hash ids and contents, not names; empty when all contents were processed."""
    contents = sorted((file.id, file.md5) for file in listing.files)
    if processed.issuperset(contents):
        return ""
    return hashlib.sha256("\n".join(f"{file_id} {md5}" for file_id, md5 in contents).encode()).hexdigest()[:32]
