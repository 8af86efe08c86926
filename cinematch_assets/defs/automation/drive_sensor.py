"""``drive_sensor``: files that are new by content become partitions and runs.

Here: requests. Not here: which contents are new (``pipeline.ingest.folder_changes``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from cinematch_assets.attempts import next_attempt
from cinematch_assets.dagster_support.runs import is_under_way, runs_with_tag
from cinematch_assets.defs.automation.jobs import ingest_batch, load_catalog
from cinematch_assets.defs.drive.raw_netflix_collection import raw_netflix_collection
from cinematch_assets.defs.partitions import BATCH_PARTITIONS, batch_id
from cinematch_assets.defs.tables.netflix_movies import netflix_movies
from cinematch_assets.pipeline.ingest.folder_changes import FolderChanges, find_folder_changes
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import COLLECTION

CONTENT_TAG = "cinematch/content"
_COLLECTION = (raw_netflix_collection.key, netflix_movies.key)


@dg.sensor(
    jobs=[load_catalog, ingest_batch],
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed files in the Drive folder become batch_id partitions and runs.",
)
def drive_sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Request one run for each new content; the run key names batch, content and attempt.

    The attempt is part of the key because Dagster skips a key that any earlier run had, a failed one too.
    """
    changes = find_folder_changes(platform)
    requests: list[dg.RunRequest] = []
    reasons = [f"{entry.path}: {entry.reason}" for entry in changes.left_out]
    for wanted in _wanted(changes):
        content = wanted.content
        ended, running = runs_with_tag(context.instance, CONTENT_TAG, content)
        if wanted.assets:  # a run of the whole job materializes them too
            running |= any(request.job_name == wanted.job for request in requests)
            running |= is_under_way(context.instance, wanted.job)
        attempt = next_attempt(wanted.what, ended, running=running, limit=platform.settings.batch_max_attempts)
        if attempt.is_due:
            requests.append(
                dg.RunRequest(
                    run_key=f"{content}:{attempt.number}",
                    job_name=wanted.job,
                    partition_key=wanted.batch,
                    asset_selection=wanted.assets,
                    tags={CONTENT_TAG: content},
                )
            )
        else:
            reasons.append(attempt.skipped)
    for reason in reasons:
        context.log.info(reason)
    known = set(context.instance.get_dynamic_partitions(BATCH_PARTITIONS))
    fresh = [
        request.partition_key for request in requests if request.partition_key and request.partition_key not in known
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(reasons) or "nothing new in the folder"),
        dynamic_partitions_requests=[batch_id.build_add_request(fresh)] if fresh else [],
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A run for a content: of a whole job, or of some of its assets."""

    what: str
    job: str
    content: str
    batch: str | None = None
    assets: Sequence[dg.AssetKey] | None = None


def _wanted(changes: FolderChanges) -> Iterator[_Wanted]:
    """Name the runs that the changes need, those of whole jobs first."""
    if changes.catalogue_key:
        yield _Wanted("movies and ratings", load_catalog.name, f"catalogue:{changes.catalogue_key}")
    for batch, md5 in changes.batches:
        yield _Wanted(batch, ingest_batch.name, f"{batch}:{md5}", batch)
    if changes.collection_key:
        yield _Wanted(COLLECTION, load_catalog.name, f"collection:{changes.collection_key}", assets=_COLLECTION)
