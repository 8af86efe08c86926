"""``drive_sensor``: new contents, and loaded batches that are not finished, become partitions and runs.

Here: requests. Not here: what is asked for (``pipeline.ingest.wanted_work``), when failed work is tried again
(``attempts``).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from cinematch_assets.attempts import Pending, RetryPolicy, Work, next_attempt
from cinematch_assets.dagster_support.run_tags import sensor_tags
from cinematch_assets.dagster_support.runs import DATA_TAG, RELEASE_TAG, read_runs, release, runs_under_way
from cinematch_assets.defs.automation.jobs import ingest_batch, load_catalog
from cinematch_assets.defs.monitoring.monitoring_report import monitoring_report
from cinematch_assets.defs.partitions import BATCH_PARTITIONS, batch_id
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import OutstandingWork
from cinematch_assets.visible_text import visible

if TYPE_CHECKING:
    from cinematch_assets.pipeline.ingest.wanted_work import WantedWork

_PARTITION = "dagster/partition"


@dg.sensor(
    jobs=[load_catalog, ingest_batch],
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed files in the Drive folder and unfinished batches become partitions and runs.",
)
def drive_sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Request what is asked for and not under way, and write all of it as rows of outstanding work.

    The number of a run is part of its key because Dagster skips a key that any earlier run had, a failed one too.
    """
    from cinematch_assets.pipeline.ingest.wanted_work import find_wanted_work
    from cinematch_assets.warehouse.outstanding import replace_outstanding

    wanted = find_wanted_work(platform)
    looked = [_look_up(context.instance, work, platform, wanted.data) for work in wanted.work]
    rows = [*wanted.notes, *(each.row for each in looked)]
    platform.warehouse.run(replace_outstanding, wanted.kinds, _one_each(rows))
    requests = [*_catalogue_runs(looked, wanted), *_batch_runs(looked, wanted)]
    reasons = [visible(f"{row.work}: {row.reason}") for row in rows]
    for reason in reasons:
        context.log.info(reason)
    known = set(context.instance.get_dynamic_partitions(BATCH_PARTITIONS))
    fresh = sorted({request.partition_key for request in requests if request.partition_key} - known)
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(reasons) or "nothing new in the folder"),
        dynamic_partitions_requests=[batch_id.build_add_request(fresh)] if fresh else [],
    )


def _look_up(instance: dg.DagsterInstance, work: Work, platform: Platform, data: str) -> Pending:
    """Decide on the next run for a piece of work; a whole job that is under way does it too."""
    runs = read_runs(instance, work, data=data)
    if work.kind in ("batch", "assessment", "report"):
        running = bool(runs_under_way(instance, tags={_PARTITION: work.name}))
    else:
        # Works of one job wait for each other, but the collection, which may take hours, holds up nothing else.
        others = runs_under_way(instance, load_catalog.name)
        is_collection = work.kind == "collection"
        running = any(_is_of_collection_alone(run) == is_collection or _is_whole_job(run) for run in others)
    settings = platform.settings
    policy = RetryPolicy(settings.retry_gap_s, settings.batch_max_attempts)
    return Pending(work, next_attempt(runs.failures, running=running or runs.running, policy=policy), runs.ended + 1)


def _is_whole_job(run: dg.DagsterRun) -> bool:
    return run.asset_selection is None


def _is_of_collection_alone(run: dg.DagsterRun) -> bool:
    return "cinematch/collection" in run.tags and not _is_whole_job(run)


def _one_each(rows: Iterable[OutstandingWork]) -> list[OutstandingWork]:
    """One row for each kind and name; of a refused content and its successor the successor."""
    return list({(row.kind, row.work): row for row in rows}.values())


def _catalogue_runs(looked: Sequence[Pending], wanted: "WantedWork") -> Iterator[dg.RunRequest]:
    """One run for movies, ratings and features together, so that movies come before ratings; one for the collection.

    New movies are a reason to match the collection again, so the whole job runs for them.
    """
    due = {each.work.kind: each for each in looked if each.is_due}
    catalogue = [due[kind] for kind in ("movies", "ratings", "features") if kind in due]
    collection = due.get("collection")
    if "movies" in due:
        yield _run(load_catalog.name, [*catalogue, *([collection] if collection else [])], wanted.data, whole=True)
        return
    if catalogue:
        yield _run(load_catalog.name, catalogue, wanted.data)
    if collection:
        yield _run(load_catalog.name, [collection], wanted.data)


def _batch_runs(looked: Sequence[Pending], wanted: "WantedWork") -> Iterator[dg.RunRequest]:
    """One run a batch: the whole job for a new content if it can be assessed at once, else the part that is due."""
    for each in looked:
        if each.is_due and each.work.kind in ("batch", "assessment", "report"):
            whole = each.work.kind == "batch" and wanted.can_assess
            yield _run(ingest_batch.name, [each], wanted.data, partition=each.work.name, whole=whole, page=True)


def _run(
    job: str,
    looked: Sequence[Pending],
    data: str,
    *,
    partition: str | None = None,
    whole: bool = False,
    page: bool = False,
) -> dg.RunRequest:
    names = dict.fromkeys(asset for each in looked for asset in each.work.assets)
    if page:
        names[monitoring_report.key.to_user_string()] = None
    only_missing = {"ops": {"drift_report": {"config": {"only_missing": True}}}}
    return dg.RunRequest(
        run_key="+".join(each.run_key for each in looked),
        job_name=job,
        partition_key=partition,
        asset_selection=None if whole else [dg.AssetKey(name) for name in names],
        tags={
            **sensor_tags(looked[0].work.kind, number=max(each.number for each in looked), batches=partition or ""),
            RELEASE_TAG: release(),
            DATA_TAG: data,
            **dict(each.work.tag for each in looked),
        },
        run_config=only_missing if any(each.work.kind == "report" for each in looked) else {},
    )
