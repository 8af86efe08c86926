"""What the folder and the warehouse ask for: loads, features, assessments, reports; each a piece of work of its own.

Here: which work is outstanding for which content, what it waits for, and what a person can do. Not here: which contents
are new (``folder_changes``), whether a run is started for it now (``attempts``), models (``retraining``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cinematch_assets.attempts import Work
from cinematch_assets.drive.folder import DriveError, TokenError, UnreachableError
from cinematch_assets.limits import MAX_UNREACHABLE
from cinematch_assets.pipeline.ingest.folder_changes import FolderChanges, find_folder_changes
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import COLLECTION
from cinematch_assets.values import OutstandingWork, WorkKind, WorkState
from cinematch_assets.warehouse.batches import UnfinishedBatch, list_unfinished_batches
from cinematch_assets.warehouse.landed_files import ADD_MOVIES, CORRECT, RefusedContent, work_of
from cinematch_assets.warehouse.movies import count_unprojected_movies
from cinematch_assets.warehouse.outstanding import Readiness, list_outstanding, read_readiness
from cinematch_assets.warehouse.training_data import read_data_key

LOAD_ASSETS = ("raw_ratings_batch", "ratings_buffer")
ASSESSMENT_ASSETS = ("drift_report",)
_TABLE_ASSETS = {"movies": ("raw_movies", "movies"), "ratings": ("raw_ratings", "ratings")}
_FEATURE_ASSETS = ("movie_genre_features",)
_COLLECTION_ASSETS = ("raw_netflix_collection", "netflix_movies")
_OF_THE_FOLDER: tuple[WorkKind, ...] = ("movies", "ratings", "collection", "batch", "folder entry")
_ALWAYS_KNOWN: tuple[WorkKind, ...] = ("folder", "features", "assessment", "report")
_LOOK = "see the run in the UI; then materialize it by hand, or change what the reason names"


@dataclass(frozen=True, slots=True)
class WantedWork:
    """All that is asked for, and what needs a person without being work.

    ``kinds`` are those that this look knows everything about: without the folder they are fewer.
    """

    work: tuple[Work, ...]
    notes: tuple[OutstandingWork, ...]
    kinds: tuple[WorkKind, ...]
    data: str
    """Hash of what is in the tables: work that failed for it is tried again when it changes."""
    can_assess: bool
    """Whether a batch that is loaded now can be assessed in the same run."""


def find_wanted_work(platform: Platform) -> WantedWork:
    """Look at the folder and the warehouse; a folder that cannot be listed does not stop what does not need it."""
    changes, fault = None, None
    try:
        changes = find_folder_changes(platform)
    except DriveError as refusal:
        fault = refusal
    with platform.warehouse.session() as session:
        unfinished = session.run(list_unfinished_batches)
        ready = session.run(read_readiness)
        unprojected = session.run(count_unprojected_movies)
        data = session.run(read_data_key)
        former = next((each for each in session.run(list_outstanding) if each.kind == "folder"), None)
    work = [*_of_the_warehouse(unfinished, ready, unprojected)]
    notes = [_unlisted(fault, former, datetime.now(UTC))] if fault is not None else []
    kinds = _ALWAYS_KNOWN
    if changes is not None:
        work = [*_of_the_folder(changes, ready), *work]
        notes = [*_left_out(changes), *map(_refused, changes.refused)]
        kinds = (*_OF_THE_FOLDER, *_ALWAYS_KNOWN)
    return WantedWork(tuple(work), tuple(notes), kinds, data, not _assessment_waits_for(ready))


def _of_the_folder(changes: FolderChanges, ready: Readiness) -> Iterator[Work]:
    waits, advice = "", _LOOK
    if ready.movies == 0:
        waits = "the catalogue is empty: movies are loaded first"
        advice = "nothing to do" if "movies" in dict(changes.tables) else "put movies.csv into the folder"
    for table, md5 in changes.tables:
        if table == "movies":
            yield Work("movies", table, md5, _TABLE_ASSETS[table], advice=_LOOK)
        else:
            yield Work("ratings", table, md5, _TABLE_ASSETS[table], waits, advice)
    for batch, md5 in changes.batches:
        yield Work("batch", batch, md5, LOAD_ASSETS, waits, advice)
    if changes.collection_key:
        yield Work("collection", "collection", changes.collection_key, _COLLECTION_ASSETS, advice=_LOOK)


def _of_the_warehouse(unfinished: list[UnfinishedBatch], ready: Readiness, unprojected: int) -> Iterator[Work]:
    if unprojected:
        yield Work("features", "features", f"{unprojected}-of-{ready.movies}", _FEATURE_ASSETS, advice=_LOOK)
    waits = _assessment_waits_for(ready)
    for batch in unfinished:
        if batch.is_assessed:
            yield Work("report", batch.batch_id, batch.md5, ASSESSMENT_ASSETS, advice=_LOOK)
        else:
            advice = "" if not waits else "nothing to do" if ready.has_baseline else "put ratings.csv into the folder"
            yield Work("assessment", batch.batch_id, batch.md5, ASSESSMENT_ASSETS, waits, advice or _LOOK)


def _assessment_waits_for(ready: Readiness) -> str:
    """Say what an assessment waits for: a baseline, and the first model if one is coming, which scores the batch."""
    if not ready.has_baseline:
        return "there are no ratings to compare it with yet"
    if not ready.has_champion and ready.expects_model:
        return "the first model is trained first: it scores the batch"
    return ""


def _unlisted(fault: DriveError, former: OutstandingWork | None, now: datetime) -> OutstandingWork:
    """The folder as a row of its own while it cannot be listed; a service that is down comes back by itself."""
    state: WorkState = "given_up"
    step = "do what the reason says; cinematch drive check looks at the folder at once, and the sensor by itself"
    if isinstance(fault, TokenError):
        step = "run cinematch drive login (with --push for a secret on AWS)"
    elif isinstance(fault, UnreachableError):
        since = former.since if former is not None and former.since is not None else now
        state = "waiting" if now - since < MAX_UNREACHABLE else "given_up"
        step = "it is looked at again by itself; cinematch drive check looks at once"
    return OutstandingWork("folder", "folder", "", state, str(fault), step)


def _left_out(changes: FolderChanges) -> Iterator[OutstandingWork]:
    shown: set[str] = set()
    for entry in changes.left_out:
        if entry.path in shown:
            continue
        shown.add(entry.path)
        if entry.for_now:
            yield OutstandingWork(
                "folder entry", entry.path, "", "waiting", entry.reason, "it is looked at again by itself"
            )
        else:
            advice = f"see {COLLECTION}" if entry.path == COLLECTION else "correct, rename or remove it"
            yield OutstandingWork("folder entry", entry.path, "", "left_out", entry.reason, advice)


def _refused(content: RefusedContent) -> OutstandingWork:
    """A refused content in the folder, under the kind of its table."""
    kind, name = work_of(content.path)
    advice = ADD_MOVIES if content.lacked_movies else CORRECT
    state: WorkState = "waiting" if content.lacked_movies else "given_up"
    return OutstandingWork(
        kind,
        name,
        content.md5,
        state,
        content.note,
        advice,
        attempts=1,
    )
