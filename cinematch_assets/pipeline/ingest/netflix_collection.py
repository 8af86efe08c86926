"""The movie collection: from its folder into the store, and from there into ``netflix.movies``.

Here: what is fetched, and how much of the work one transaction holds. Not here: the queue
(``warehouse.collection_ledger``), what a movie must look like (``reading.collection``), which movie a title is
(``netflix_matches``).

Both halves may be killed anywhere and started again, and several may work at once: the ledger gives each file to one
worker for the length of a transaction, and a content that lies in the store is not fetched again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import PurePosixPath

import psycopg

from cinematch_assets.drive.folder import Folder, FolderListing
from cinematch_assets.drive.landing import Landed, land
from cinematch_assets.drive.parallel import THREADS, Done, in_parallel
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.collection import CollectionFile, read_collection
from cinematch_assets.storage.base import MissingObjectError, Store
from cinematch_assets.values import SkippedEntry
from cinematch_assets.warehouse import collection_ledger
from cinematch_assets.warehouse.netflix import CollectionLoad, load_collection

FOLDER = "Netflix_Movie_Collection"
FILES_A_TRANSACTION = 500
SECONDS_A_TRANSACTION = 2.0
_SUFFIXES = (".json", ".csv")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a walk through the collection found and did; ``failed`` are sentences that name the files.

    ``fetched`` were downloaded now, ``in_store`` lay there already though the ledger did not know, ``unchanged`` had
    been dealt with before. ``missing`` files are known and were not seen; nothing is done to them.
    """

    files: int
    listing: collection_ledger.Listing
    fetched: int
    in_store: int
    unchanged: int
    failed: tuple[str, ...]
    skipped: tuple[SkippedEntry, ...]


def list_collection(folder: Folder) -> FolderListing:
    """Walk the collection; a file that is neither JSON nor CSV holds no movie and is left out.

    A file may lie in several folders of a Drive: it is one file, by the first of its paths.
    """
    look = folder.list_files(FOLDER)
    movies = {file.id: file for file in reversed(look.files) if _is_movie(file.name)}
    others = (SkippedEntry(file.path, "is neither .json nor .csv") for file in look.files if not _is_movie(file.name))
    return FolderListing(
        files=tuple(sorted(movies.values(), key=lambda file: file.path)),
        skipped=tuple(sorted((*look.skipped, *others), key=lambda entry: entry.path)),
    )


def _is_movie(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _SUFFIXES


def fetch_collection(platform: Platform, progress: Callable[[str, float], None] | None = None) -> Collected:
    """Bring the ledger up to date and land what is new or changed; a file that cannot be had stops no other.

    Raises:
        CinematchError: the folder, the store or the warehouse itself cannot be used.
    """
    look = list_collection(platform.folder)
    with platform.warehouse.connect() as connection:
        listing = collection_ledger.record_listing(connection, look.files)
        wanted = collection_ledger.pending_ids(connection)
        files = [file for file in look.files if file.id in wanted]
        landing = in_parallel(lambda file: land(platform.folder, file, platform.store), files)
        fetched, in_store = 0, 0
        failed: list[str] = []
        for landed in _in_portions(landing):
            collection_ledger.record_fetches(connection, [_fetch(done) for done in landed])
            fetched += sum(done.result is not None and not done.result.unchanged for done in landed)
            in_store += sum(done.result is not None and done.result.unchanged for done in landed)
            failed += [str(done.error) for done in landed if done.error is not None]
            if progress is not None:
                progress(f"Fetching {FOLDER}", (fetched + in_store + len(failed)) / len(files))
    return Collected(
        files=len(look.files),
        listing=listing,
        fetched=fetched,
        in_store=in_store,
        unchanged=len(look.files) - len(files),
        failed=tuple(sorted(failed)),
        skipped=look.skipped,
    )


def _in_portions(outcomes: Iterable[Done[Landed]]) -> Iterator[list[Done[Landed]]]:
    """Give outcomes so many at a time, or what there is after a while, so that progress is seen."""
    portion: list[Done[Landed]] = []
    started = time.monotonic()
    for outcome in outcomes:
        portion.append(outcome)
        if len(portion) == FILES_A_TRANSACTION or time.monotonic() - started > SECONDS_A_TRANSACTION:
            yield portion
            portion, started = [], time.monotonic()
    if portion:
        yield portion


def _fetch(done: Done[Landed]) -> collection_ledger.Fetch:
    if done.result is not None:
        return collection_ledger.Fetch(done.file.id, done.file.md5, done.result.key)
    return collection_ledger.Fetch(done.file.id, done.file.md5, None, str(done.error))


def load_fetched(platform: Platform) -> CollectionLoad:
    """Load every fetched file that nobody else is loading, each portion's rows and its ledger in one transaction."""
    loads: list[CollectionLoad] = []
    with platform.warehouse.connect() as connection:
        while True:
            with connection.transaction():
                taken = collection_ledger.take_fetched(connection, FILES_A_TRANSACTION)
                if not taken:
                    return _sum(loads)
                loads.append(_load(connection, platform.store, taken))


def _sum(loads: Sequence[CollectionLoad]) -> CollectionLoad:
    nothing = CollectionLoad(0, 0, 0, 0, 0, 0)
    return CollectionLoad(*(sum(counts) for counts in zip(*map(astuple, (nothing, *loads)), strict=True)))


def _load(
    connection: psycopg.Connection, store: Store, taken: Sequence[collection_ledger.FetchedFile]
) -> CollectionLoad:
    failures: dict[str, str] = {}
    with ExitStack() as opened, ThreadPoolExecutor(THREADS, thread_name_prefix="collection") as pool:

        def open_object(file: collection_ledger.FetchedFile) -> CollectionFile | None:
            try:
                return CollectionFile(file.file_id, opened.enter_context(store.path(file.store_key)), file.path)
            except MissingObjectError as gone:
                failures[file.file_id] = str(gone)
                return None

        reading = read_collection([file for file in pool.map(open_object, taken) if file is not None])
    return load_collection(connection, taken, reading.accepted, reading.rejected, failures=failures)
