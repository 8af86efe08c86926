"""When failed work is tried again, decided from its runs alone: a pure function with its reason.

Here: gaps and limits. Not here: why a run failed (``faults``), which runs there were (``dagster_support.runs``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cinematch_assets.faults import Cause

FIRST_GAP_S, MAX_GAP_S = 15.0, 900.0
MAX_BUGS = 3
"""Runs that an unforeseen error may fail before a person has to look."""


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run for a piece of work that did not do it, and the time since it ended."""

    cause: Cause
    ended_s_ago: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """Whether to start a run, under which number; else why not. ``given_up``: only a person or new content helps."""

    number: int
    skipped: str = ""
    given_up: bool = False

    @property
    def is_due(self) -> bool:
        """Whether to start it."""
        return not self.skipped


def next_attempt(work: str, failed: Sequence[FailedRun], *, running: bool, max_bugs: int = MAX_BUGS) -> Attempt:
    """Decide on the next run for a piece of work that has a key of its own, such as one content of one batch.

    A fault of the content is final for that content. A fault of the surroundings is never given up: gaps double from
    15 s up to a quarter of an hour. An unforeseen error gets ``max_bugs`` runs.

    Args:
        work: its name, for the reason.
        failed: the runs with its key that ended without doing it.
        running: whether one is under way.
        max_bugs: see ``MAX_BUGS``.
    """
    number = len(failed) + 1
    if running:
        return Attempt(number, f"{work}: a run is under way")
    if any(each.cause is Cause.CONTENT for each in failed):
        return Attempt(
            number, f"{work}: failed for its content; it is tried again when the content changes", given_up=True
        )
    bugs = sum(each.cause is Cause.BUG for each in failed)
    if bugs >= max_bugs:
        reason = f"{work}: given up after {bugs} runs that failed unexpectedly; see their logs, then launch it by hand"
        return Attempt(number, reason, given_up=True)
    if failed:
        gap_s = min(FIRST_GAP_S * 2.0 ** (len(failed) - 1), MAX_GAP_S)
        wait_s = gap_s - min(each.ended_s_ago for each in failed)
        if wait_s > 0:
            return Attempt(
                number, f"{work}: failed {len(failed)} times; next attempt in {timedelta(seconds=round(wait_s))}"
            )
    return Attempt(number)
