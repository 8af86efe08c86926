"""``drive_sensor``: files that are new by content become partitions and runs.

Here: requests. Not here: what counts as new (``steps.watching``).
"""

import dagster as dg

from cinematch_assets.defs.automation.jobs import ingest_batch, load_catalog
from cinematch_assets.defs.automation.runs import runs_with_tag
from cinematch_assets.defs.partitions import BATCH_PARTITIONS, batch_id
from cinematch_assets.steps.platform import Platform
from cinematch_assets.steps.watching import look_for_news, next_attempt

CONTENT_TAG = "cinematch/content"


@dg.sensor(
    jobs=[load_catalog, ingest_batch],
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed files in the Drive folder become batch_id partitions and runs.",
)
def drive_sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Ask for one run a new content; the run key names batch, content and attempt.

    An earlier run with the same key, failed ones too, would be skipped for ever, so the attempt is in it.
    """
    news = look_for_news(platform)
    requests, reasons = [], list(news.reported)
    wanted: list[tuple[str, str | None, str]] = [
        (ingest_batch.name, batch, f"{batch}:{md5}") for batch, md5 in news.batches
    ]
    if news.catalogue:
        wanted.insert(0, (load_catalog.name, None, f"catalogue:{news.catalogue}"))
    for job, batch, content in wanted:
        ended, running = runs_with_tag(context.instance, CONTENT_TAG, content)
        attempt = next_attempt(
            batch or "movies and ratings", ended, running=running, limit=platform.settings.batch_max_attempts
        )
        if attempt.is_due:
            key = f"{content}:{attempt.number}"
            requests.append(dg.RunRequest(run_key=key, job_name=job, partition_key=batch, tags={CONTENT_TAG: content}))
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
