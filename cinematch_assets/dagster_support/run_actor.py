"""Who acts in a run of Dagster: its process' user, the run, and what launched it.

Here: reading that from the run's tags. Not here: the value (``actor``).
"""

from collections.abc import Mapping

import dagster as dg

from cinematch_assets.actor import Actor
from cinematch_assets.dagster_support.run_tags import BY

_LAUNCHERS = {
    BY: "command",
    "dagster/sensor_name": "sensor",
    "dagster/schedule_name": "schedule",
    "dagster/backfill": "backfill",
    "user": "user",
    "dagster/parent_run_id": "re-execution of run",
}
"""Tag of a run → what it names; of several the first counts."""


def run_actor(run: dg.DagsterRun, name: str | None = None) -> Actor:
    """Return the actor of a run; ``name`` is CINEMATCH_ACTOR."""
    return Actor(Actor.of_process(name).name, run.run_id, launched_by(run.tags))


def launched_by(tags: Mapping[str, str]) -> str:
    """Say what launched a run, such as ``sensor retraining_sensor``; by hand when no tag says so."""
    found = (f"{kind} {tags[tag]}" for tag, kind in _LAUNCHERS.items() if tags.get(tag))
    return next(found, "hand")
