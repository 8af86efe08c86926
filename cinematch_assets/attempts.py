"""Work that is asked for, and when failed work is tried again: pure functions with their reasons.

Here: gaps and limits, and what becomes a row of outstanding work. Not here: why a run failed (``faults``), which runs
there were (``dagster_support.runs``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cinematch_assets.faults import Cause
from cinematch_assets.values import OutstandingWork, WorkKind, WorkState

MAX_GAP_S = 900.0
_MAX_SKEW = timedelta(seconds=60)
"""By how much the clock of the machine that carried out a run may be ahead of this one's."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon failed work is tried again."""

    first_gap_s: float = 15.0
    """Pause after the first failure; it doubles with each further one, up to ``MAX_GAP_S``."""
    max_bugs: int = 3
    """Runs that may end with an error that no one foresaw."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run for a piece of work that did not do it: why, in words for people, and when it ended."""

    cause: Cause
    message: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """Whether the next run is started now; if not, the reason, and when it will be.

    ``retry_at`` is None where time alone changes nothing: a run is under way, or the work is given up.
    """

    failures: int
    is_due: bool
    reason: str
    retry_at: datetime | None = None
    given_up: bool = False


def next_attempt(
    failures: Sequence[Failure], *, running: bool, policy: RetryPolicy, now: datetime | None = None
) -> Attempt:
    """Decide on the next run for one content of a piece of work.

    A fault of the content is final for that content. A fault of the surroundings is never given up: the gap doubles
    from ``first_gap_s`` to a quarter of an hour. An error that no one foresaw is given up after ``max_bugs`` runs.
    A failure in the future was before the clock was set back, and nothing waits for that time to come again.

    Args:
        failures: the runs for this content that ended without doing the work, oldest first.
        running: whether a run for it is queued or under way.
        policy: gap and limit.
        now: the time; tests give another.
    """
    last = failures[-1].message if failures else ""
    if running:
        return Attempt(len(failures), is_due=False, reason="a run is under way")
    final = next((failure for failure in failures if failure.cause is Cause.CONTENT), None)
    if final is not None:
        return Attempt(len(failures), is_due=False, reason=final.message, given_up=True)
    if sum(failure.cause is Cause.BUG for failure in failures) >= policy.max_bugs:
        return Attempt(len(failures), is_due=False, reason=last, given_up=True)
    if failures:
        gap = timedelta(seconds=min(policy.first_gap_s * 2.0 ** min(len(failures) - 1, 16), MAX_GAP_S))
        ended_at, time = failures[-1].ended_at, now or datetime.now(UTC)
        retry_at = ended_at + gap
        if ended_at - _MAX_SKEW <= time < retry_at:
            return Attempt(len(failures), is_due=False, reason=last, retry_at=retry_at)
    return Attempt(len(failures), is_due=True, reason=last or "not started yet")


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work that is asked for, about one content. Each has attempts of its own."""

    kind: WorkKind
    name: str
    """Which one of its kind; the kind again where there is only one."""
    content: str
    assets: tuple[str, ...]
    """Those that do it."""
    waits_for: str = ""
    """What has to be there first; empty when nothing is missing."""
    advice: str = ""
    """What a person can do when it waits for something, or was given up."""

    @property
    def tag(self) -> tuple[str, str]:
        """The run tag, name and value, by which its runs are found."""
        name = self.kind if self.name == self.kind else f"{self.kind}-{self.name}"
        return f"cinematch/{name}", self.content

    def run_key(self, number: int) -> str:
        """Name its run ``number``; Dagster never starts a second run with the same key."""
        names = (self.name,) if self.kind in (self.name, "batch") else (self.kind, self.name)
        return ":".join((*names, self.content, str(number)))

    def outstanding(self, attempt: Attempt) -> OutstandingWork:
        """Describe it as it stands after ``attempt`` was decided on."""
        if self.waits_for:
            return OutstandingWork(self.kind, self.name, self.content, "waiting", self.waits_for, self.advice)
        state: WorkState
        if attempt.given_up:
            state, next_step = "given_up", self.advice
        elif attempt.retry_at is not None:
            state, next_step = "waiting", "it is tried again by itself, with growing pauses up to a quarter of an hour"
        else:
            state, next_step = "running", "it ends by itself"
        reason = "a run was requested" if attempt.is_due else attempt.reason
        return OutstandingWork(
            self.kind,
            self.name,
            self.content,
            state,
            reason,
            next_step,
            attempts=attempt.failures,
            retry_at=attempt.retry_at,
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """Work, the decision on its next attempt, and the number of the run that this would be."""

    work: Work
    attempt: Attempt
    number: int

    @property
    def is_due(self) -> bool:
        """Whether to start it now."""
        return self.attempt.is_due and not self.work.waits_for

    @property
    def row(self) -> OutstandingWork:
        """What is outstanding."""
        return self.work.outstanding(self.attempt)

    @property
    def run_key(self) -> str:
        """Of the next run."""
        return self.work.run_key(self.number)
