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
from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.collection_ledger import list_processed_files
from cinematch_assets.warehouse.landed_files import list_processed_contents

_TABLES = ("movies", "ratings")


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """Contents that are neither loaded nor refused yet, and entries of the folder that cannot be used."""

    batches: tuple[tuple[str, str], ...]
    """(batch_id, md5), by batch_id."""

    catalogue_key: str
    """Identifies the new contents of ``movies`` and ``ratings``; empty when neither is new."""

    collection_key: str
    """Identifies the contents of the whole movie collection; empty when none is new."""

    problems: tuple[str, ...]
    """A message for each file that is left alone."""


def find_folder_changes(platform: Platform) -> FolderChanges:
    """Compare the folder's contents (never its times) with those that were loaded or refused."""
    tables = platform.folder.list_files("", recursive=False)
    batches = platform.folder.list_files("batches", recursive=False)
    collection = list_collection(platform.folder)
    with platform.warehouse.session() as session:
        processed = session.run(list_processed_contents)
        processed_movies = session.run(list_processed_files)
    problems = [f"{entry.path}: {entry.reason}" for entry in (*tables.skipped, *batches.skipped)]
    if collection.skipped:
        first = collection.skipped[0]
        problems.append(f"{len(collection.skipped):,} of {FOLDER} skipped, first {first.path}: {first.reason}")
    changed_batches, batch_problems = _changed_batches(batches, processed, platform.folder.spec)
    changed = [
        file.md5
        for file in tables.files
        if any(is_file_of(file.path, table) for table in _TABLES) and (file.path, file.md5) not in processed
    ]
    return FolderChanges(
        batches=changed_batches,
        catalogue_key="-".join(sorted(changed)),
        collection_key=_collection_key(collection, processed_movies),
        problems=(*problems, *batch_problems),
    )


def _changed_batches(
    listing: FolderListing, processed: set[tuple[str, str]], folder: str
) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Return (batch_id, md5) of each new content, and a message for each file that cannot be a batch."""
    changed, problems = [], []
    by_batch: dict[str, list[DriveFile]] = defaultdict(list)
    for file in listing.files:
        batch_id = batch_id_of(PurePosixPath(file.path).name)
        if batch_id is None:
            problems.append(f"{file.path}: not a batch: name it {BATCH_ID_RULE}, then {' or '.join(TABLE_SUFFIXES)}")
        else:
            by_batch[batch_id].append(file)
    for batch_id, files in sorted(by_batch.items()):
        if len(files) > 1:
            problems.append(several_files_message((file.path for file in files), folder))
        elif (files[0].path, files[0].md5) not in processed:
            changed.append((batch_id, files[0].md5))
    return tuple(changed), problems


def _collection_key(listing: FolderListing, processed: set[tuple[str, str]]) -> str:
    """Hash ids and contents, not names; empty when all contents were processed."""
    contents = sorted((file.id, file.md5) for file in listing.files)
    if processed.issuperset(contents):
        return ""
    return hashlib.sha256("\n".join(f"{file_id} {md5}" for file_id, md5 in contents).encode()).hexdigest()[:32]
