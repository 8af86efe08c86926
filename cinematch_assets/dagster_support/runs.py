"""Earlier runs for a piece of work: how the sensors know what was tried, and why it failed.

Here: reading runs by tag and by job, and the tags. Not here: when the next one starts (``attempts``), writing the cause
of a failure (``dagster_support.failure_cause``). A cursor could be lost or only grow; runs and their tags are always
true.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

import dagster as dg

from cinematch_assets.attempts import Failure, Work
from cinematch_assets.faults import Cause

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
CAUSE_TAG = "failed/"
"""Followed by an asset's name: why its step failed, as ``<cause>: <message>``."""
DATA_TAG = "cinematch/data"
"""The data that a run was started on, as one hash: a fault of the content counts for the same data alone."""
RELEASE_TAG = "cinematch/release"
"""The release that a run was started by: its bugs do not count against the next one."""


def release() -> str:
    """The version of this package."""
    return version("cinematch-assets")


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """The runs for one content of a piece of work: how many have ended, whether one has not, which left it undone."""

    ended: int
    running: bool
    failures: tuple[Failure, ...]  # oldest first


def read_runs(instance: dg.DagsterInstance, work: Work, *, data: str = "") -> EarlierRuns:
    """Read the runs for a piece of work.

    A run that failed without a recorded cause was killed, or never began: that is a fault of the surroundings. One that
    succeeded and left the work outstanding only delays the next: its content was replaced and came back since.

    Args:
        instance: Dagster's.
        work: what the runs were for; only failures of its assets count.
        data: hash of the data that the next run would use; a fault of other data is no fault of this one.
    """
    name, value = work.tag
    records = instance.get_run_records(filters=dg.RunsFilter(tags={name: value}), ascending=True)
    failures: list[Failure] = []
    for record in records:
        run = record.dagster_run
        if run.status is dg.DagsterRunStatus.SUCCESS:
            failures = [replace(failure, cause=Cause.SURROUNDINGS) for failure in failures]
            message = "the last run succeeded, and there is more to do since"
            failures.append(Failure(Cause.SURROUNDINGS, message, ended_at(record)))
        elif run.status in FINISHED:
            cause, message = _cause(run, work.assets)
            outdated = (cause is Cause.BUG and run.tags.get(RELEASE_TAG, release()) != release()) or (
                cause is Cause.CONTENT and run.tags.get(DATA_TAG, data) != data
            )
            failures.append(Failure(Cause.SURROUNDINGS if outdated else cause, message, ended_at(record)))
    ended = sum(record.dagster_run.status in FINISHED for record in records)
    return EarlierRuns(ended, ended < len(records), tuple(failures))


def _cause(run: dg.DagsterRun, assets: Collection[str]) -> tuple[Cause, str]:
    """The cause that its steps recorded; of several that of the content, then a bug."""
    found = []
    for asset in assets:
        cause, _, message = run.tags.get(f"{CAUSE_TAG}{asset}", "").partition(": ")
        if cause:
            found.append((Cause(cause), message))
    for kind in (Cause.CONTENT, Cause.BUG):
        for cause, message in found:
            if cause is kind:
                return cause, message
    return found[0] if found else (Cause.SURROUNDINGS, "the run was interrupted")


def ended_at(record: dg.RunRecord) -> datetime:
    """When a run ended, in UTC; Dagster stores update times in UTC without saying so."""
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, UTC)
    return record.update_timestamp.replace(tzinfo=UTC)


def runs_under_way(
    instance: dg.DagsterInstance, job: str | None = None, *, tags: Mapping[str, str] | None = None
) -> list[dg.DagsterRun]:
    """Return the runs of a job, or with tags, that have yet to end."""
    statuses = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    return list(instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=statuses, tags=dict(tags or {}))))
