"""``notification_sensor``: people are told what was recorded, and badge and page say what waits for them.

Here: a round at each look, after the conditions that no run would notice were recorded. It starts no run, and no run
waits for it: a channel that is down is tried again at a later look. Not here: which conditions there are
(``pipeline.attention``), sending (``pipeline.send_notifications``).
"""

import dagster as dg

from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.errors import SurroundingsError
from cinematch_assets.pipeline.platform import Platform


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="What people have to know (ops.notifications) is sent to the channels of CINEMATCH_NOTIFY; the check "
    "nothing_needs_attention and the monitoring page follow what waits for them.",
)
def notification_sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Send what is due; rows are the memory, so a restart loses nothing. The cursor is what the check said last."""
    from cinematch_assets.dagster_support.attention_check import evaluate_between_runs
    from cinematch_assets.dagster_support.monitoring_page import write_page
    from cinematch_assets.pipeline.attention import watch
    from cinematch_assets.pipeline.send_notifications import send_notifications

    watch(platform, read_automation(context.instance))
    evaluation, said = evaluate_between_runs(platform, context.cursor)
    done = send_notifications(platform)
    context.log.info(str(done))
    if evaluation is not None:
        try:
            write_page(platform, context.instance)
        except SurroundingsError as fault:  # the next change or run writes it; people were told
            warning = f"the monitoring page was not written: {fault}"
            context.log.warning(warning)
    return dg.SensorResult(skip_reason=str(done), cursor=said, asset_events=[] if evaluation is None else [evaluation])
