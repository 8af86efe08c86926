"""``mlflow_sensor``: MLflow holds what the registry holds, where ``MLFLOW_TRACKING_URI`` names a server.

Here: a round at each look. It starts no run, and neither a run nor a notification waits for it. Not here: the round
(``pipeline.export_registry``).
"""

import dagster as dg

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Where MLFLOW_TRACKING_URI names a server: each model version becomes a run and a model version in "
    "MLflow, and the alias champion follows promotion and rollback.",
)
def mlflow_sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Write what is due; a server that is down is told by ``cinematch status`` and is no failed tick."""
    from cinematch_assets.pipeline.export_registry import export_registry

    try:
        done = str(export_registry(platform))
    except CinematchError as fault:
        done = str(fault)
    context.log.info(done)
    return dg.SkipReason(done)
