"""When to train again: pure decisions that return their reasons.

Here: the decision of a batch, and which waiting decisions start a run. Not here: the scores (``drift``), whether the
outcome may serve (``promotion``), rows and runs (``warehouse``, ``defs``).
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetrainingPolicy:
    """What counts as a reason to train again; ``docs/decisions`` holds the measurements behind the defaults."""

    minimum_rows: int = 1_000
    """A smaller batch decides nothing: its KS statistic exceeds 0.05 by chance alone more often than not."""

    unseen_share: float = 0.15
    """Ratings that the champion has not seen, as a share of those it was trained on: 105,000 at 700,000, which the
    third weekly batch of 43,000 reaches, the rhythm that the buffer was made for."""

    cooldown_s: float = 60.0
    """Rest between the end of one retraining and the start of the next. What becomes due meanwhile waits and shares the
    next run, so a burst of drifted files costs one training; a weekly batch never notices a minute."""

    attempts: int = 3
    """A retraining that has failed this often needs a person: what an outage broke works the second or third time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One drift statistic of a batch: its score, the alert's threshold, and what it reaches without drift."""

    feature_name: str
    drift_score: float | None
    threshold: float
    null_bound: float | None  # 99th percentile of the null spread; None where the statistic is undefined

    @property
    def alerts(self) -> bool:
        """Whether the score is over its threshold."""
        return self.drift_score is not None and self.drift_score > self.threshold

    @property
    def unusual(self) -> bool:
        """Whether the score is also more than resampled users explain."""
        return (
            self.drift_score is not None
            and self.alerts
            and self.null_bound is not None
            and self.drift_score > self.null_bound
        )


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What is known of one batch, and of everything that waits in the buffer with it."""

    batch_id: str
    rows: int
    evidence: tuple[Evidence, ...]
    unseen_ratings: int  # accepted ratings in the buffer, this batch's included, that the champion was not trained on
    trained_ratings: int  # ratings that the champion was trained on; 0 without a champion


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to train again, and why, in a sentence that names the batch."""

    due: bool
    reason: str


def retraining_decision(facts: BatchFacts, policy: RetrainingPolicy) -> Decision:
    """Retrain when the data moved or enough of it is new; drift wins, because it says the model is wrong, not old."""
    alerts = [each for each in facts.evidence if each.alerts]
    unusual = [each for each in alerts if each.unusual]
    if unusual and facts.rows >= policy.minimum_rows:
        found = ", ".join(f"{_over(each)} and outside the null spread ({each.null_bound:.3f})" for each in unusual)
        return Decision(due=True, reason=f"{facts.batch_id}: {found}")
    if facts.trained_ratings == 0:
        return Decision(due=True, reason=f"{facts.batch_id}: there is no champion yet")
    needed = round(policy.unseen_share * facts.trained_ratings)
    if facts.unseen_ratings >= needed:
        reason = f"{facts.unseen_ratings:,} unseen ratings, {needed:,} are enough"
        return Decision(due=True, reason=f"{facts.batch_id}: {reason}")
    reason = f"{_why_no_drift(facts, alerts, policy)}; {facts.unseen_ratings:,} of {needed:,} unseen ratings"
    return Decision(due=False, reason=f"{facts.batch_id}: {reason}")


def _why_no_drift(facts: BatchFacts, alerts: Sequence[Evidence], policy: RetrainingPolicy) -> str:
    if not alerts:
        return "nothing over its threshold"
    if facts.rows < policy.minimum_rows:
        over = ", ".join(_over(each) for each in alerts)
        return f"{over}, but {facts.rows:,} rows are too few to tell ({policy.minimum_rows:,} needed)"
    return ", ".join(f"{_over(each)}, but {_why_usual(each)}" for each in alerts)


def _over(evidence: Evidence) -> str:
    return f"{evidence.feature_name} {evidence.drift_score:.3f} over {evidence.threshold:.3f}"


def _why_usual(evidence: Evidence) -> str:
    if evidence.null_bound is None:
        return "with no null spread to compare it with"
    return f"within the null spread ({evidence.null_bound:.3f})"


@dataclass(frozen=True, slots=True)
class WaitingDecision:
    """A due decision that no successful retraining has answered yet."""

    batch_id: str
    attempts: int  # retrainings that were started for it and failed


@dataclass(frozen=True, slots=True)
class NextRetraining:
    """The one run to start now, and for which batches; none when ``batch_ids`` is empty."""

    batch_ids: tuple[str, ...]
    attempt: int  # 1 for the first; belongs into the run key, so that a failed run does not block its repetition
    given_up: tuple[str, ...]  # batches whose attempts are used up: a person has to look
    reason: str


def next_retraining(
    waiting: Sequence[WaitingDecision], *, running: bool, since_last_s: float | None, policy: RetrainingPolicy
) -> NextRetraining:
    """Put everything that waits into one run, when none is running and the last one is long enough ago.

    Args:
        waiting: due decisions without an answer, oldest first.
        running: whether a retraining is queued or under way.
        since_last_s: seconds since the last retraining ended; None when there was none.
        policy: cooldown and number of attempts.
    """
    given_up = tuple(each.batch_id for each in waiting if each.attempts >= policy.attempts)
    ready = [each for each in waiting if each.attempts < policy.attempts]
    note = f"; given up after {policy.attempts} attempts: {', '.join(given_up)}" if given_up else ""
    if not ready:
        return NextRetraining((), 0, given_up, f"no decision waits{note}")
    batch_ids = tuple(each.batch_id for each in ready)
    waits = f"{', '.join(batch_ids)} {'waits' if len(ready) == 1 else 'wait'}"
    if running:
        return NextRetraining((), 0, given_up, f"{waits}: a retraining is under way{note}")
    if since_last_s is not None and since_last_s < policy.cooldown_s:
        rest = f"the last retraining ended {since_last_s:.0f} s ago, the cooldown is {policy.cooldown_s:.0f} s"
        return NextRetraining((), 0, given_up, f"{waits}: {rest}{note}")
    attempt = 1 + max(each.attempts for each in ready)
    return NextRetraining(batch_ids, attempt, given_up, f"retraining for {', '.join(batch_ids)}{note}")
