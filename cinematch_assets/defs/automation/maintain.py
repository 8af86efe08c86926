"""``maintain`` and ``weekly_maintenance``: the run that keeps warehouse and store small.

Here: the job and its schedule. Not here: what it does (``pipeline.maintenance``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import storage_check
from cinematch_assets.pipeline.maintenance import MaintenanceReport, run_maintenance
from cinematch_assets.pipeline.platform import Platform


@dg.op(description="Vacuum, archive of old alerts, retention of files, reports and models.")
def tidy_up(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Run the maintenance; log what it did and show it on the run's page."""
    report = run_maintenance(platform)
    budget = storage_check(platform.warehouse, platform.settings.storage_budget_mb)
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
        "archived %s alerts, deleted %s objects (%.1f MB)",
        report.archived_alerts,
        report.deleted_objects,
        report.freed_mb,
    )
    context.add_output_metadata({**report.as_metadata(), "sizes": dg.MetadataValue.md(_sizes(report))})


def _sizes(report: MaintenanceReport) -> str:
    lines = (f"| {size.table} | {size.bytes / 2**20:.1f} MB |" for size in report.sizes)
    return "\n".join(("| table | with indexes |", "|---|---|", *lines))


@dg.job(description="The weekly maintenance: vacuum, archive, retention.")
def maintain() -> None:
    """Run the maintenance."""
    tidy_up()


weekly_maintenance = dg.ScheduleDefinition(
    name="weekly_maintenance",
    job=maintain,
    cron_schedule="0 4 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Sundays at 04:00.",
)
