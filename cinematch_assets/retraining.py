"""When to train again: pure decisions that return their reasons.

Here: the decision on a batch, and whether a run is to be started now. Not here: the scores (``drift``), whether the new
model may replace the champion (``promotion``), reading the facts (``defs.automation.retraining_sensor``).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from cinematch_assets.attempts import next_attempt
from cinematch_assets.settings import Settings
from cinematch_assets.values import WaitingDecision

DECISION_TAG = "cinematch/decision-"
"""Followed by a decision's id: the tag of the runs that were started for it."""


@dataclass(frozen=True, slots=True)
class RetrainingPolicy:
    """Thresholds for retraining; decision 41 has the measurements behind the defaults."""

    min_rows: int = 1_000
    """Rows below which a batch's drift is no evidence: its KS statistic exceeds 0.05 by chance more often than not."""

    unseen_share: float = 0.15
    """Ratings that the champion was not trained on, as a share of those it was trained on. At 700,000 training ratings
    these are 105,000, which the third weekly batch of 43,000 reaches."""

    cooldown_s: float = 60.0
    """Pause between the end of one retraining and the start of the next. Decisions that become due meanwhile share the
    next run, so that several drifted files at once cost one training."""

    max_attempts: int = 3
    """Retrainings after which a decision is given up: after an outage the second or third one succeeds."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Take the thresholds from the environment's settings."""
        return cls(
            min_rows=settings.retrain_min_rows,
            unseen_share=settings.retrain_unseen_share,
            cooldown_s=settings.retrain_cooldown_s,
            max_attempts=settings.retrain_max_attempts,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """One drift statistic of a batch: its score, the threshold of its alert, and its bound without drift."""

    feature_name: str
    drift_score: float | None
    threshold: float
    null_bound: float | None  # 99th percentile of the null distribution; None when the statistic is undefined

    @property
    def alerts(self) -> bool:
        """Whether the score is over the threshold."""
        return self.drift_score is not None and self.drift_score > self.threshold

    @property
    def unusual(self) -> bool:
        """Whether the score is also over its null bound, which differences between users do not explain."""
        return (
            self.drift_score is not None
            and self.alerts
            and self.null_bound is not None
            and self.drift_score > self.null_bound
        )


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """The evidence of a batch, and how much the champion has not been trained on."""

    batch_id: str
    rows: int
    evidence: tuple[Evidence, ...]
    unseen_ratings: int  # accepted ratings in the buffer, this batch included, that the champion was not trained on
    trained_ratings: int  # ratings that the champion was trained on; 0 without a champion


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to train again, and the reason, which names the batch."""

    due: bool
    reason: str


def retraining_decision(facts: BatchFacts, policy: RetrainingPolicy) -> Decision:
    """Retrain on drift, or when there are enough new ratings; drift comes first as the reason."""
    alerts = [each for each in facts.evidence if each.alerts]
    unusual = [each for each in alerts if each.unusual]
    if unusual and facts.rows >= policy.min_rows:
        found = ", ".join(f"{_over(each)} and its null bound {each.null_bound:.3f}" for each in unusual)
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
    if facts.rows < policy.min_rows:
        over = ", ".join(_over(each) for each in alerts)
        return f"{over}, but {facts.rows:,} rows are too few to decide ({policy.min_rows:,} needed)"
    return ", ".join(f"{_over(each)}, but {_why_usual(each)}" for each in alerts)


def _over(evidence: Evidence) -> str:
    return f"{evidence.feature_name} {evidence.drift_score:.3f} over {evidence.threshold:.3f}"


def _why_usual(evidence: Evidence) -> str:
    if evidence.null_bound is None:
        return "it has no null bound"
    return f"within its null bound {evidence.null_bound:.3f}"


def decision_tag(decision: WaitingDecision) -> str:
    """Return the name of the run tag by which runs for a decision are counted; its value is the decision's ``md5``."""
    return f"{DECISION_TAG}{decision.id}"


@dataclass(frozen=True, slots=True)
class NextRetraining:
    """The decisions that the next run is for; none when ``decisions`` is empty, and ``reason`` says why."""

    decisions: tuple[WaitingDecision, ...]
    attempt: int  # 1 for the first; part of the run key, because Dagster skips a run key that was used before
    given_up: tuple[WaitingDecision, ...]  # failed too often: a person has to look
    reason: str


def next_retraining(
    waiting: Sequence[WaitingDecision], *, running: bool, since_last_s: float | None, policy: RetrainingPolicy
) -> NextRetraining:
    """Put all waiting decisions into one run, unless one is under way or the last one ended too recently.

    Args:
        waiting: due decisions without an answer, oldest first.
        running: whether a retraining is queued or under way.
        since_last_s: seconds since the last retraining ended; None before the first.
        policy: cooldown and number of attempts.
    """
    given_up = tuple(each for each in waiting if each.attempts >= policy.max_attempts)
    ready = tuple(each for each in waiting if each.attempts < policy.max_attempts)
    note = f"; given up after {policy.max_attempts} attempts: {_batches(given_up)}" if given_up else ""
    if not ready:
        return NextRetraining((), 0, given_up, f"no decision waits{note}")
    waits = f"{_batches(ready)} {'waits' if len(ready) == 1 else 'wait'}"
    if running:
        return NextRetraining((), 0, given_up, f"{waits}: a retraining is under way{note}")
    if since_last_s is not None and since_last_s < policy.cooldown_s:
        pause = f"the last retraining ended {since_last_s:.0f} s ago, the cooldown is {policy.cooldown_s:.0f} s"
        return NextRetraining((), 0, given_up, f"{waits}: {pause}{note}")
    attempt = 1 + max(each.attempts for each in ready)
    return NextRetraining(ready, attempt, given_up, f"retraining for {_batches(ready)}{note}")


def _batches(decisions: Sequence[WaitingDecision]) -> str:
    return ", ".join(each.batch_id for each in decisions)


@dataclass(frozen=True, slots=True)
class MissingOutput:
    """A result that is missing, for which no batch's decision asks: a model, or the champion's recommendations."""

    name: str
    key: str  # the same for each run that is to make it
    assets: tuple[str, ...] = ()  # those to materialize; empty for the whole job

    @property
    def tag(self) -> str:
        """Name of the run tag by which runs for it are counted; its value is ``key``."""
        return f"cinematch/{self.name}"

    @property
    def is_model(self) -> bool:
        """Whether a model has to be trained."""
        return not self.assets


def missing_output(
    champion: str | None, *, readable: bool, model_format: int, recommended: str | None
) -> MissingOutput | None:
    """Name what is missing: a champion that this release can load, or recommendations by it.

    Args:
        champion: its version; None before the first one.
        readable: whether this release can load it.
        model_format: the artifact format that this release reads.
        recommended: version that the published recommendations are by; None without any. A run that died between
            promotion and publishing leaves those of the previous champion.
    """
    if champion is None:
        return MissingOutput("first-model", "retrain:first")
    if not readable:
        return MissingOutput("other-format", f"retrain:{champion}:format{model_format}")
    if recommended != champion:
        return MissingOutput("recommendations", f"recommendations:{champion}", assets=("recommendations",))
    return None


@dataclass(frozen=True, slots=True)
class RetrainingFacts:
    """What the choice of the next run depends on."""

    waiting: tuple[WaitingDecision, ...] = ()  # oldest first
    missing: MissingOutput | None = None
    ended_runs: int = 0  # for ``missing``
    has_ratings: bool = True
    running: bool = False  # whether a retraining is queued or under way
    since_last_s: float | None = None  # since the last retraining ended; None before the first
    blocked: str | None = None  # why nothing may be started: the champion is of a newer release


@dataclass(frozen=True, slots=True)
class Request:
    """A run of the job ``retrain`` to start; Dagster starts at most one run a ``run_key``."""

    run_key: str
    reason: str
    tags: Mapping[str, str] = field(default_factory=dict)
    assets: tuple[str, ...] = ()  # empty for the whole job
    given_up: tuple[WaitingDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """No run is to be started now."""

    reason: str
    given_up: tuple[WaitingDecision, ...] = ()


def retraining_request(facts: RetrainingFacts, policy: RetrainingPolicy) -> Request | Skip:
    """Choose the one run to start now: what is missing comes first, then waiting decisions.

    A missing model is trained as soon as there are ratings. When its attempts are used up, decisions count again: a
    later batch may hold what the candidates lacked.
    """
    if facts.blocked:
        return Skip(facts.blocked)
    if facts.missing is None:
        return _for_decisions(facts, policy)
    if facts.missing.is_model and not facts.has_ratings:
        return Skip("no ratings to train a model on")
    missing = facts.missing
    attempt = next_attempt(missing.name, facts.ended_runs, running=facts.running, limit=policy.max_attempts)
    if attempt.is_due:
        return Request(
            run_key=f"{missing.key}:{attempt.number}",
            reason=f"{missing.name}, attempt {attempt.number}",
            tags={missing.tag: missing.key},
            assets=missing.assets,
        )
    if not missing.is_model:
        return Skip(attempt.skipped)
    chosen = _for_decisions(facts, policy)
    return chosen if isinstance(chosen, Request) else Skip(f"{attempt.skipped}; {chosen.reason}", chosen.given_up)


def _for_decisions(facts: RetrainingFacts, policy: RetrainingPolicy) -> Request | Skip:
    chosen = next_retraining(facts.waiting, running=facts.running, since_last_s=facts.since_last_s, policy=policy)
    if not chosen.decisions:
        return Skip(chosen.reason, chosen.given_up)
    evidence = ",".join(f"{each.id}:{each.md5}" for each in chosen.decisions)
    return Request(
        run_key=f"retrain:{hashlib.sha256(evidence.encode()).hexdigest()[:16]}:{chosen.attempt}",
        reason=chosen.reason,
        tags={decision_tag(each): each.md5 for each in chosen.decisions} | {"cinematch/reason": chosen.reason[:250]},
        given_up=chosen.given_up,
    )
