"""Numbered attempts at a piece of work: whether to start the next one, and why not.

Here: the rule, as a pure function. Not here: counting earlier runs (``dagster_support.runs``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """The number of an attempt, and the reason why it is not started; empty when it is."""

    number: int
    skipped: str

    @property
    def is_due(self) -> bool:
        """Whether to start it."""
        return not self.skipped


def next_attempt(what: str, finished: int, *, running: bool, limit: int) -> Attempt:
    """Number the next run for ``what``: one at a time, and at most ``limit`` runs.

    Args:
        what: name of the work, for the reason.
        finished: runs for the same work that have ended.
        running: whether a run for it is queued or under way.
        limit: number of runs after which a person has to start the next one.
    """
    if running:
        return Attempt(finished, f"{what}: a run is under way")
    if finished >= limit:
        return Attempt(finished, f"{what}: given up after {finished} runs; materialize it by hand to try again")
    return Attempt(finished + 1, "")
