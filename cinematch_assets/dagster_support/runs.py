"""Earlier runs, by tag and by job: how the sensors know what was tried.

Here: counting runs. A cursor could be lost or only grow; runs and their tags are always true.
"""

import dagster as dg

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def runs_with_tag(instance: dg.DagsterInstance, tag: str, value: str) -> tuple[int, bool]:
    """Return how many runs with the tag have ended, and whether one is under way."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={tag: value}))
    ended = sum(run.status in FINISHED for run in runs)
    return ended, ended < len(runs)


def is_under_way(instance: dg.DagsterInstance, job: str) -> bool:
    """Say whether any run of the job has yet to end."""
    statuses = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    return bool(instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=statuses), limit=1))
