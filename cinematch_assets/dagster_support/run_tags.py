"""Tags of runs by which people find them: batch, cause, model version.

Here: names, values, and completing the tags of a run that no sensor requested. Not here: the tags by which sensors
count attempts (``attempts``, ``dagster_support.runs``), what launched a run (``dagster_support.run_actor``).

Dagster keeps the tags of a run in the order of their names, and its UI shows them so: these names come before the
sensors' ``cinematch/…``, whose values are long.
"""

from collections.abc import Mapping

import dagster as dg

from cinematch_assets.values import WorkKind

BATCH = "batch"
"""The batches of the run; of several their names, or the first and the last of a range."""
CAUSE = "cause"
"""Why the run was started, in words that many runs share."""
CANDIDATE = "candidate"
"""The model version that the run trained or decided on."""
CHAMPION = "champion"
"""The model version whose lists the run published, or that it measured a batch with."""
ATTEMPT = "attempt"
"""From the second run for the same content on."""
BY = "by"
"""The command that started the run without the daemon."""
DEMO = "cinematch demo"

BY_HAND, BACKFILL, RE_EXECUTION, SCHEDULE = "by hand", "backfill", "re-execution", "schedule"
CAUSES: Mapping[WorkKind, str] = {
    "movies": "new file",
    "ratings": "new file",
    "collection": "new file",
    "batch": "new file",
    "features": "movies without features",
    "assessment": "batch without assessment",
    "report": "batch without report",
    "model": "no model",
    "recommendations": "no lists",
    "retraining": "retraining is due",
}
"""Why a sensor starts a run for a kind of work."""

_PARTITION = "dagster/partition"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_OTHER_CAUSES = {
    "dagster/parent_run_id": RE_EXECUTION,
    "dagster/backfill": BACKFILL,
    "dagster/schedule_name": SCHEDULE,
}
"""Tag that Dagster sets → the cause that it shows; of several the first counts."""

JOB_TAGS = {CAUSE: BY_HAND}
"""Of a job: what a run has that is launched without a cause. Sensors name theirs."""


def sensor_tags(kind: WorkKind, *, number: int = 1, batches: str = "") -> dict[str, str]:
    """Return the tags of run ``number`` for a kind of work."""
    return {
        CAUSE: CAUSES[kind],
        **({BATCH: batches} if batches else {}),
        **({ATTEMPT: str(number)} if number > 1 else {}),
    }


def missing_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return batch and cause of a run that was launched in the UI or by a backfill, as Dagster's tags say."""
    cause = next((cause for tag, cause in _OTHER_CAUSES.items() if tag in tags), tags.get(CAUSE, BY_HAND))
    found = {} if tags.get(CAUSE) == cause else {CAUSE: cause}
    if BATCH not in tags and (batch := _batches(tags)):
        found[BATCH] = batch
    return found


def _batches(tags: Mapping[str, str]) -> str:
    if _PARTITION in tags:
        return tags[_PARTITION]
    first, last = (tags.get(name, "") for name in _RANGE)
    return first if first == last else f"{first}...{last}"


def complete_tags(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Add batch and cause to a run without them."""
    found = missing_tags(run.tags)
    if found:
        instance.add_run_tags(run.run_id, found)


def add_tag(context: dg.AssetExecutionContext, name: str, value: str) -> None:
    """Tag the run with what is known only now."""
    context.instance.add_run_tags(context.run.run_id, {name: value})
