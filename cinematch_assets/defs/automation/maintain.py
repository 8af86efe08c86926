"""``maintain`` and ``weekly_maintenance``: the round that keeps everything small.

Here: the job and its schedule. Not here: what a round does (``steps.maintaining``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import storage_check
from cinematch_assets.pipeline.maintenance import maintain as run_maintenance
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.table_sizes import database_mb


@dg.op(description="Vacuum, archive of old alerts, retention of files, reports and models.")
def tidy_up(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """One round; it says what it did in its log and on the run's page."""
    done = run_maintenance(platform)
    table = "\n".join(f"| {size.table} | {size.bytes / 2**20:.1f} MB |" for size in done.sizes)
    with platform.warehouse.connect() as connection:
        used = database_mb(connection)
        budget = storage_check(connection, platform.settings.storage_budget_mb)
    context.log_event(
        dg.AssetCheckEvaluation(  # type: ignore[arg-type]  # log_event takes it; its type does not say so
            asset_key=dg.AssetKey("ratings"),
            check_name="storage_budget",
            passed=budget.passed,
            severity=budget.severity,
            metadata=budget.metadata,
        )
    )
    context.log.info(
        "archived %s alerts, deleted %s objects (%.1f MB)", done.archived_alerts, done.deleted_objects, done.freed_mb
    )
    context.add_output_metadata(
        {
            "archived_alerts": done.archived_alerts,
            "deleted_objects": done.deleted_objects,
            "used_mb": round(used, 1),
            "sizes": dg.MetadataValue.md("| table | with indexes |\n|---|---|\n" + table),
        }
    )


@dg.job(description="The weekly round: vacuum, archive, retention.")
def maintain() -> None:
    """Tidy up."""
    tidy_up()


weekly_maintenance = dg.ScheduleDefinition(
    name="weekly_maintenance",
    job=maintain,
    cron_schedule="0 4 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Sundays at 04:00.",
)
