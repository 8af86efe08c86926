"""``maintain`` and ``weekly_maintenance``: the run that keeps warehouse and store small, and checks what they hold.

Here: the job, its options, its schedule. Not here: what it does (``pipeline.maintenance``), the checks (the assets').
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from cinematch_assets.dagster_support.asset_checks import evaluate_now
from cinematch_assets.dagster_support.monitoring_page import ASSET, materialize_page, publish_page_after_failure
from cinematch_assets.dagster_support.row_counts import TABLES, report_row_counts
from cinematch_assets.dagster_support.run_tags import CAUSE, JOB_TAGS, SCHEDULE
from cinematch_assets.defs.features import movie_genre_features
from cinematch_assets.defs.model import model_metrics, recommendations, recommender_model
from cinematch_assets.defs.monitoring import monitoring_report
from cinematch_assets.defs.tables import movies, netflix_movies, ratings, ratings_buffer
from cinematch_assets.pipeline.platform import Platform

if TYPE_CHECKING:
    from cinematch_assets.pipeline.maintenance import MaintenanceReport

CHECKS = {
    movies.movies.key: movies.CHECKS,
    ratings.ratings.key: ratings.CHECKS,
    ratings_buffer.ratings_buffer.key: ratings_buffer.WHOLE_CHECKS,
    netflix_movies.netflix_movies.key: netflix_movies.CHECKS,
    movie_genre_features.movie_genre_features.key: movie_genre_features.CHECKS,
    recommender_model.recommender_model.key: recommender_model.CHECKS,
    model_metrics.model_metrics.key: model_metrics.CHECKS,
    recommendations.recommendations.key: recommendations.CHECKS,
    monitoring_report.monitoring_report.key: monitoring_report.CHECKS,
}
"""The checks of whole tables and of the newest model; those of a batch run with its partition."""


class MaintainConfig(dg.Config):
    """Options of one run of ``maintain``."""

    dry_run: bool = Field(default=False, description="Count what would be archived and deleted, and change nothing.")
    keep_days: int | None = Field(
        default=None,
        ge=1,
        description="Days that alerts and unreferenced objects are kept; by default CINEMATCH_KEEP_DAYS.",
    )


@dg.op(out=dg.Out(dg.Nothing), description="Vacuum, archive of old alerts, retention of files, reports and models.")
def tidy_up(context: dg.OpExecutionContext, config: MaintainConfig, platform: dg.ResourceParam[Platform]) -> None:
    """Run the maintenance; log what it did and show it on the run's page."""
    from cinematch_assets.pipeline.maintenance import run_maintenance

    report = run_maintenance(platform, keep_days=config.keep_days, dry_run=config.dry_run)
    context.log.info(
        "%s %s alerts and %s objects (%.1f MB)",
        "would archive and delete" if report.dry_run else "archived and deleted",
        report.archived_alerts,
        report.deleted_objects,
        report.freed_mb,
    )
    context.add_output_metadata({**report.as_metadata(), "sizes": dg.MetadataValue.md(_sizes(report))})


@dg.op(ins={"after": dg.In(dg.Nothing)}, description="The checks of whole tables, on what they hold now.")
def check_tables(platform: dg.ResourceParam[Platform]) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Evaluate the assets' own checks; a blocking one that does not pass fails the run."""
    yield from evaluate_now(CHECKS, platform)
    yield dg.Output(None)


@dg.op(ins={"after": dg.In(dg.Nothing)}, description="The monitoring page, with the sizes of now.")
def write_page(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Materialize the monitoring page, and count all tables for their own pages."""
    report_row_counts(platform, context.instance, *TABLES)
    context.log_event(dg.AssetMaterialization(ASSET, metadata=materialize_page(platform, context.instance)))


def _sizes(report: "MaintenanceReport") -> str:
    lines = (f"| {size.table} | {size.bytes / 2**20:.1f} MB |" for size in report.sizes)
    return "\n".join(("| table | with indexes |", "|---|---|", *lines))


@dg.job(
    tags=JOB_TAGS,
    hooks={publish_page_after_failure},
    description="The weekly maintenance: vacuum, archive, retention; the checks of all tables; the monitoring page.",
)
def maintain() -> None:
    """Run the maintenance, then the checks; then write the page."""
    write_page(after=check_tables(after=tidy_up()))


weekly_maintenance = dg.ScheduleDefinition(
    name="weekly_maintenance",
    job=maintain,
    cron_schedule="0 4 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags={CAUSE: SCHEDULE},
    description="Sundays at 04:00.",
)
