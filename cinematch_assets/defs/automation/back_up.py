"""``back_up`` and ``weekly_backup``: the run that makes a backup and tries to restore it.

Here: the job and its schedule. Not here: what a backup is (``pipeline.backups``).
"""

import dagster as dg

from cinematch_assets.dagster_support.monitoring_page import publish_page_after_failure
from cinematch_assets.pipeline.platform import Platform


@dg.op(out=dg.Out(dg.Nothing), description="Database and store, copied and restored into a scratch server.")
def back_up_and_try(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform]) -> None:
    """Make a backup where ``CINEMATCH_BACKUP`` says, restore it into a scratch server, and show both."""
    from cinematch_assets.pipeline.backups import back_up_as_configured

    made = back_up_as_configured(platform)
    context.log.info("backup %s: %s rows, %s objects, restored once and equal", made.name, made.rows, made.objects)
    context.add_output_metadata(made.as_metadata())


@dg.job(hooks={publish_page_after_failure}, description="A backup, tried at once in a scratch server.")
def back_up() -> None:
    """Back up and try."""
    back_up_and_try()


@dg.schedule(
    job=back_up,
    cron_schedule="0 3 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Sundays at 03:00, where CINEMATCH_BACKUP names a place.",
)
def weekly_backup(platform: dg.ResourceParam[Platform]) -> dg.RunRequest | dg.SkipReason:
    """Start a run, or say that no place is named."""
    if platform.settings.backup is None:
        return dg.SkipReason("CINEMATCH_BACKUP names no place")
    return dg.RunRequest()
