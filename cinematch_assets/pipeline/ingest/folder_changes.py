"""What a look at the folder and at the decisions asks for: pure answers for the sensors.

Here: comparing what is there with what was done. Not here: Dagster's requests (``defs.automation``).
"""

import hashlib
from collections.abc import Callable
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
from cinematch_assets.warehouse.collection_ledger import processed_files
from cinematch_assets.warehouse.landed_files import processed_contents

_TABLES = ("movies", "ratings")


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """What one look found: batches and tables whose content is not in the tables yet, and what cannot be one.

    ``batches`` are (batch_id, md5); ``catalogue`` is one name for the contents of movies and ratings, empty when
    neither is new; ``collection`` likewise one for all files of the movie collection; ``reported`` says why something
    is left alone.
    """

    batches: tuple[tuple[str, str], ...]
    catalogue: str
    collection: str
    reported: tuple[str, ...]


def find_folder_changes(platform: Platform) -> FolderChanges:
    """Compare the folder's contents (never its times) with those that were loaded or refused."""
    tables = platform.folder.list_files("", recursive=False)
    batches = platform.folder.list_files("batches", recursive=False)
    collection = list_collection(platform.folder)
    with platform.warehouse.connect() as connection:
        settled = processed_contents(connection)
        collected = processed_files(connection)
    reported = [f"{entry.path}: {entry.reason}" for entry in (*tables.skipped, *batches.skipped)]
    if collection.skipped:
        first = collection.skipped[0]
        reported.append(f"{len(collection.skipped):,} of {FOLDER} left out, first {first.path}: {first.reason}")
    by_batch: dict[str, list[DriveFile]] = {}
    for file in batches.files:
        batch_id = batch_id_of(PurePosixPath(file.path).name)
        if batch_id is None:
            reported.append(f"{file.path}: not a batch: name it {BATCH_ID_RULE}, then {' or '.join(TABLE_SUFFIXES)}")
        else:
            by_batch.setdefault(batch_id, []).append(file)
    new = []
    for batch_id, files in sorted(by_batch.items()):
        if len(files) > 1:
            reported.append(several_files_message((file.path for file in files), platform.folder.spec))
        elif (files[0].path, files[0].md5) not in settled:
            new.append((batch_id, files[0].md5))
    changed = [
        file.md5
        for file in tables.files
        if any(is_file_of(file.path, table) for table in _TABLES) and (file.path, file.md5) not in settled
    ]
    return FolderChanges(tuple(new), "-".join(sorted(changed)), _collection_key(collection, collected), tuple(reported))


def _collection_key(look: FolderListing, settled: set[tuple[str, str]]) -> str:
    """One name for the collection's contents, whatever its files are called; empty when all were dealt with."""
    contents = sorted((file.id, file.md5) for file in look.files)
    if settled.issuperset(contents):
        return ""
    return hashlib.sha256("\n".join(f"{name} {md5}" for name, md5 in contents).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Whether to start a run for a piece of work, under which number, and else why not."""

    number: int
    skipped: str

    @property
    def is_due(self) -> bool:
        """Whether to start it."""
        return not self.skipped


def next_attempt(what: str, finished: int, *, running: bool, limit: int) -> Attempt:
    """Number the next run for a content: a failed one is tried again up to ``limit`` times, one at a time."""
    if running:
        return Attempt(finished, f"{what}: a run is under way")
    if finished >= limit:
        return Attempt(finished, f"{what}: given up after {finished} runs; materialize it by hand to try again")
    return Attempt(finished + 1, "")


Runs = Callable[[str, str], tuple[int, bool]]
"""Asked for a tag's name and value: how many runs with it have ended, and whether one is under way."""
