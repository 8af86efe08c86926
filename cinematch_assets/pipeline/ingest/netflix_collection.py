"""The movie collection: from its folder into the store, and from there into ``netflix.movies``.

Here: which files are fetched, and how much work one transaction holds. Not here: the queue
(``warehouse.collection_ledger``), what a movie must look like (``reading.collection``), which movie a title is
(``netflix_matches``).

Both steps can be killed at any point and started again, and several processes can work at once: the ledger gives each
file to one worker for the length of a transaction, and a content that is in the store is not fetched again.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import astuple, dataclass

from cinematch_assets.drive.folder import Folder, FolderListing, LookLimits
from cinematch_assets.drive.landing import Landed, land
from cinematch_assets.drive.thread_pool import THREADS, Done, in_parallel
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.reading.collection import CollectionFile, read_collection
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.storage.base import MissingObjectError, Store
from cinematch_assets.table_names import COLLECTION, is_collection_file
from cinematch_assets.values import SkippedEntry
from cinematch_assets.warehouse.collection_ledger import (
    Fetch,
    FetchedFile,
    Listing,
    list_pending_ids,
    record_fetches,
    record_listing,
)
from cinematch_assets.warehouse.netflix import CollectionContent, CollectionLoad, load_next_files

FILES_PER_TRANSACTION = 500
SECONDS_PER_TRANSACTION = 2.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FetchedCollection:
    """Counts of one walk through the collection; ``failed`` are messages that name the files.

    ``fetched`` files were downloaded now, ``in_store`` files were in the store before the ledger knew them,
    ``unchanged`` files need nothing. ``listing.missing`` files are known to the ledger and were not listed; they stay.
    """

    files: int
    listing: Listing
    fetched: int
    in_store: int
    unchanged: int
    failed: tuple[str, ...]
    skipped: tuple[SkippedEntry, ...]

    def as_metadata(self) -> dict[str, int]:
        """Return the counts."""
        return {
            "files": self.files,
            "new": self.listing.new,
            "changed": self.listing.changed,
            "tried_again": self.listing.again,
            "fetched": self.fetched,
            "in_store_already": self.in_store,
            "unchanged": self.unchanged,
            "failed": len(self.failed),
            "skipped": len(self.skipped),
            "known_but_not_listed": self.listing.missing,
        }


def list_collection(folder: Folder, *, limits: LookLimits = LookLimits()) -> FolderListing:  # noqa: B008 - frozen
    """List the collection's JSON and CSV files; other files are skipped.

    A file may be in several folders of a Drive: it is listed once, under the first of its paths.
    """
    listing = folder.list_files(COLLECTION, is_wanted=is_collection_file, limits=limits)
    movies = {file.id: file for file in reversed(listing.files)}
    others = (SkippedEntry(path, "is neither .json nor .csv") for path in listing.others)
    return FolderListing(
        files=tuple(sorted(movies.values(), key=lambda file: file.path)),
        skipped=tuple(sorted((*listing.skipped, *others), key=lambda entry: entry.path)),
    )


def fetch_collection(
    platform: Platform, progress: Progress | None = None, *, files_per_transaction: int = FILES_PER_TRANSACTION
) -> FetchedCollection:
    """Update the ledger and land what is new or changed; a file that cannot be fetched does not stop the others.

    Raises:
        CinematchError: the folder, the store or the warehouse itself cannot be used.
    """
    with log_phase(_LOG, "list the collection"):
        listed = list_collection(platform.folder)
    with platform.warehouse.session() as session:
        listing = session.run(record_listing, listed.files)
        wanted = session.run(list_pending_ids)
        files = [file for file in listed.files if file.id in wanted]
        landing = in_parallel(lambda file: land(platform.folder, file, platform.store), files)
        fetched, in_store, done = 0, 0, 0
        failed: list[str] = []
        with log_phase(_LOG, f"fetch {count(len(files), 'file')}"):
            for portion in _in_portions(landing, files_per_transaction):
                session.run(record_fetches, [_fetch_of(outcome) for outcome in portion])
                fetched += sum(each.result is not None and not each.result.unchanged for each in portion)
                in_store += sum(each.result is not None and each.result.unchanged for each in portion)
                failed += [str(each.error) for each in portion if each.error is not None]
                done += len(portion)
                if progress:
                    progress(f"Fetching {COLLECTION}", done / len(files))
    return FetchedCollection(
        files=len(listed.files),
        listing=listing,
        fetched=fetched,
        in_store=in_store,
        unchanged=len(listed.files) - len(files),
        failed=tuple(sorted(failed)),
        skipped=listed.skipped,
    )


def _in_portions(outcomes: Iterable[Done[Landed]], files: int) -> Iterator[list[Done[Landed]]]:
    """Group outcomes by ``files``, or by what is there after ``SECONDS_PER_TRANSACTION``, so that progress is seen."""
    portion: list[Done[Landed]] = []
    started = time.monotonic()
    for outcome in outcomes:
        portion.append(outcome)
        if len(portion) == files or time.monotonic() - started > SECONDS_PER_TRANSACTION:
            yield portion
            portion, started = [], time.monotonic()
    if portion:
        yield portion


def _fetch_of(outcome: Done[Landed]) -> Fetch:
    if outcome.result is not None:
        return Fetch(outcome.file.id, outcome.file.md5, outcome.result.key)
    return Fetch(outcome.file.id, outcome.file.md5, None, str(outcome.error))


def load_fetched(platform: Platform, *, files_per_transaction: int = FILES_PER_TRANSACTION) -> CollectionLoad:
    """Load every fetched file that no other process is loading, in transactions of ``files_per_transaction``."""
    loads: list[CollectionLoad] = []

    def read(files: Sequence[FetchedFile]) -> CollectionContent:
        return _read(platform.store, files)

    with log_phase(_LOG, "load fetched files"), platform.warehouse.session() as session:
        while (load := session.run(load_next_files, read, files_per_transaction)) is not None:
            loads.append(load)
    return _sum(loads)


def _sum(loads: Sequence[CollectionLoad]) -> CollectionLoad:
    nothing = CollectionLoad(0, 0, 0, 0, 0, 0)
    return CollectionLoad(*(sum(counts) for counts in zip(*map(astuple, (nothing, *loads)), strict=True)))


def _read(store: Store, files: Sequence[FetchedFile]) -> CollectionContent:
    failures: dict[str, str] = {}
    with ExitStack() as opened, ThreadPoolExecutor(THREADS, thread_name_prefix="collection") as pool:

        def open_object(file: FetchedFile) -> CollectionFile | None:
            try:
                return CollectionFile(file.file_id, opened.enter_context(store.path(file.store_key)), file.path)
            except MissingObjectError as missing:
                failures[file.file_id] = str(missing)
                return None

        reading = read_collection([file for file in pool.map(open_object, files) if file is not None])
    return CollectionContent(reading.accepted, reading.rejected, failures)
