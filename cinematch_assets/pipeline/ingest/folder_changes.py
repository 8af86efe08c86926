"""Changes in the folder since the last load: contents that are in no table yet.

Here: comparing a listing of the folder with what was loaded or refused. Not here: Dagster's requests
(``defs.automation.drive_sensor``).
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from cinematch_assets.drive.folder import QUICK_LOOK, FolderListing
from cinematch_assets.pipeline.ingest.netflix_collection import list_collection
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import (
    BATCHES,
    COLLECTION,
    TABLES,
    batch_id_of,
    is_file_of,
    near_miss,
    several_files_message,
    table_of,
)
from cinematch_assets.values import DriveFile, SkippedEntry
from cinematch_assets.warehouse.collection_ledger import list_processed_files
from cinematch_assets.warehouse.landed_files import RefusedContent, list_processed_contents, list_refused_contents


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
    """What is left alone: unreadable entries, names that are nearly right; of the collection one entry for all."""

    refused: tuple[RefusedContent, ...]
    """Contents in the folder that were refused, and are not read again as they are."""


def find_folder_changes(platform: Platform) -> FolderChanges:
    """Compare the folder's contents (never its times) with those that were loaded or refused."""
    tables = platform.folder.list_files("", recursive=False, is_wanted=_is_table, limits=QUICK_LOOK)
    batches = platform.folder.list_files(BATCHES, recursive=False, is_wanted=_is_batch, limits=QUICK_LOOK)
    collection = list_collection(platform.folder, limits=QUICK_LOOK)
    with platform.warehouse.session() as session:
        processed = session.run(list_processed_contents)
        processed_movies = session.run(list_processed_files)
        refused = session.run(list_refused_contents)
    left_out = [*tables.skipped, *batches.skipped]
    left_out += [SkippedEntry(path, why) for path in (*tables.others, *batches.others) if (why := near_miss(path))]
    if collection.skipped:
        first = collection.skipped[0]
        reason = f"{first.path}: {first.reason}"
        if len(collection.skipped) > 1:
            reason = f"{len(collection.skipped):,} entries are skipped, the first is {reason}"
        left_out.append(SkippedEntry(COLLECTION, reason, for_now=all(entry.for_now for entry in collection.skipped)))
    changed_tables, several = _changed_files(tables, processed, platform.folder.spec)
    changed_batches, ambiguous = _changed_files(batches, processed, platform.folder.spec)
    listed = {(file.path, file.md5) for file in (*tables.files, *batches.files)}
    return FolderChanges(
        batches=tuple((table.removeprefix(f"{BATCHES}/"), md5) for table, md5 in changed_batches),
        tables=changed_tables,
        collection_key=_collection_key(collection, processed_movies),
        left_out=(*left_out, *several, *ambiguous),
        refused=tuple(each for each in refused if (each.path, each.md5) in listed & processed),
    )


def _is_table(path: str) -> bool:
    return any(is_file_of(path, table) for table in TABLES)


def _is_batch(path: str) -> bool:
    return batch_id_of(path) is not None


def _changed_files(
    listing: FolderListing, processed: set[tuple[str, str]], folder: str
) -> tuple[tuple[tuple[str, str], ...], list[SkippedEntry]]:
    """Return (table, md5) of each new content, and an entry for each table or batch that is there more than once."""
    changed, ambiguous = [], []
    by_table: dict[str, list[DriveFile]] = defaultdict(list)
    for file in listing.files:
        by_table[table_of(file.path)].append(file)
    for table, files in sorted(by_table.items()):
        if len(files) > 1:
            ambiguous.append(SkippedEntry(table, several_files_message((file.path for file in files), folder)))
        elif (files[0].path, files[0].md5) not in processed:
            changed.append((table, files[0].md5))
    return tuple(changed), ambiguous


def _collection_key(listing: FolderListing, processed: set[tuple[str, str]]) -> str:
    """Hash ids and contents, not names; empty when all contents were processed."""
    contents = sorted((file.id, file.md5) for file in listing.files)
    if processed.issuperset(contents):
        return ""
    return hashlib.sha256("\n".join(f"{file_id} {md5}" for file_id, md5 in contents).encode()).hexdigest()[:32]
