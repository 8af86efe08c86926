"""The sensors and the runs that they request, in this process: what the daemon does, without its waiting.

Here: the loop. Not here: a platform (``platforms``), single jobs (``definitions``).
"""

import logging
from collections.abc import Iterator

import dagster as dg

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import QUIET, repository, run_job

_LOG = logging.getLogger(__name__)
SENSORS = ("drive_sensor", "retraining_sensor")
MAX_ROUNDS = 20


def run_until_idle(platform: Platform, instance: dg.DagsterInstance) -> list[tuple[str, bool]]:
    """Evaluate the sensors and execute what they request, until a round requests nothing; return jobs and success.

    As Dagster does, a run key is used once.
    """
    ended: list[tuple[str, bool]] = []
    for _ in range(MAX_ROUNDS):
        before = len(ended)
        for sensor in SENSORS:
            ended += [_execute(each, platform, instance) for each in _requests(sensor, platform, instance)]
        if len(ended) == before:
            return ended
    raise AssertionError(f"no end after {MAX_ROUNDS} rounds: {ended}")


def _requests(name: str, platform: Platform, instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    sensor = repository().get_sensor_def(name)
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    answer = sensor(context)
    if isinstance(answer, dg.SensorResult):
        for change in answer.dynamic_partitions_requests or ():
            instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        found = list(answer.run_requests or ())
    else:
        found = [answer] if isinstance(answer, dg.RunRequest) else []
    known = {run.tags.get("dagster/run_key") for run in instance.get_runs()}
    for request in found:
        if request.run_key not in known:
            yield request


def _execute(request: dg.RunRequest, platform: Platform, instance: dg.DagsterInstance) -> tuple[str, bool]:
    job = request.job_name or "retrain"
    result = run_job(
        job,
        platform,
        instance,
        config={key: value for key, value in request.run_config.items() if key not in QUIET},
        partition_key=request.partition_key,
        asset_selection=list(request.asset_selection) if request.asset_selection else None,
        tags={**request.tags, "dagster/run_key": str(request.run_key)},
    )
    if not result.success:
        for event in result.get_step_failure_events():
            _LOG.info("%s: %s", job, event.event_specific_data)
    return job, result.success
