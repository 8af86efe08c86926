"""``notification_sensor``: people are told what was recorded for them.

Here: a round at each look, after the conditions that no run would notice were recorded. Not here: which these are
(``pipeline.attention``), sending (``pipeline.send_notifications``). It
starts no run, and no run waits for it: a channel that is down is tried again at a later look.
"""

import dagster as dg

from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.pipeline.platform import Platform


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="What people have to know (ops.notifications) is sent to the channels of CINEMATCH_NOTIFY.",
)
def notification_sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Send what is due; rows are the memory, so a restart loses nothing."""
    from cinematch_assets.pipeline.attention import watch
    from cinematch_assets.pipeline.send_notifications import send_notifications

    watch(platform, read_automation(context.instance))
    done = send_notifications(platform)
    context.log.info(str(done))
    return dg.SkipReason(str(done))
