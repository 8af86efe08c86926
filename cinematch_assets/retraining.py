"""When to train again: pure decisions that return their reasons.

Here: the decision on a batch, and whether a run is to be started now. Not here: the scores (``drift``), whether the new
model may replace the champion (``promotion``), reading the facts (``defs.automation.retraining_sensor``).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from cinematch_assets.attempts import Pending, Work
from cinematch_assets.plurals import count
from cinematch_assets.settings import Settings
from cinematch_assets.values import WaitingDecision, WorkKind

MODEL_ASSETS = ("recommender_model", "model_metrics")
_DECISION_TAG = "cinematch/retraining-"
NO_RATINGS = "there are no ratings to train a model on"
_MORE_DATA = "it is tried again when movies, ratings or batches change; to try as it is, materialize the job retrain"
_APPROVE = "it goes on when that version is promoted, rejected or expired"
_LOOK = "see the run in the UI, then materialize recommendations"


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

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Take the thresholds from the environment's settings."""
        return cls(
            min_rows=settings.retrain_min_rows,
            unseen_share=settings.retrain_unseen_share,
            cooldown_s=settings.retrain_cooldown_s,
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
        enough = "1 is" if needed == 1 else f"{needed:,} are"
        reason = f"{count(facts.unseen_ratings, 'unseen rating')}, {enough} enough"
        return Decision(due=True, reason=f"{facts.batch_id}: {reason}")
    reason = f"{_why_no_drift(facts, alerts, policy)}; {facts.unseen_ratings:,} of {count(needed, 'unseen rating')}"
    return Decision(due=False, reason=f"{facts.batch_id}: {reason}")


def _why_no_drift(facts: BatchFacts, alerts: Sequence[Evidence], policy: RetrainingPolicy) -> str:
    if not alerts:
        return "nothing over its threshold"
    if facts.rows < policy.min_rows:
        over = ", ".join(_over(each) for each in alerts)
        rows = "1 row is" if facts.rows == 1 else f"{facts.rows:,} rows are"
        return f"{over}, but {rows} too few to decide ({policy.min_rows:,} needed)"
    return ", ".join(f"{_over(each)}, but {_why_usual(each)}" for each in alerts)


def _over(evidence: Evidence) -> str:
    return f"{evidence.feature_name} {evidence.drift_score:.3f} over {evidence.threshold:.3f}"


def _why_usual(evidence: Evidence) -> str:
    if evidence.null_bound is None:
        return "it has no null bound"
    return f"within its null bound {evidence.null_bound:.3f}"


def is_outgrown(rows: int, most_trained: int, unseen_share: float) -> bool:
    """Return whether the ratings have grown without a batch, as by a larger file: enough of them are in no model.

    What a rolled back or rejected model was trained on counts as tried.
    """
    return most_trained > 0 and rows >= most_trained * (1 + unseen_share)


def missing_model(
    champion: str | None, *, readable: bool, model_format: int, data: str, waits_for: str = "", outgrown: bool = False
) -> Work | None:
    """Return the work of training a model without any batch's decision.

    It is the first one, one in this release's format, or one that knows a larger file of ratings.

    Args:
        champion: its version; None before the first one.
        readable: whether this release can load it.
        model_format: the artifact format that this release reads.
        data: hash of the contents that it would be trained on, for which it is tried.
        waits_for: what has to be there first.
        outgrown: see ``is_outgrown``.
    """
    if champion is not None and readable and not outgrown:
        return None
    if champion is None:
        content = f"first:{data}"
    else:
        content = f"{champion}:{'outgrown' if readable else f'format{model_format}'}:{data}"
    advice = "put movies.csv and ratings.csv into the folder" if waits_for == NO_RATINGS else _MORE_DATA
    return Work("model", "model", content, MODEL_ASSETS, waits_for, advice)


def missing_recommendations(champion: str | None, *, readable: bool, recommended: str | None) -> Work | None:
    """Return the work of publishing the champion's recommendations, None when they are the published ones.

    A run that died between promotion and publishing leaves those of the previous champion.
    """
    if champion is None or not readable or recommended == champion:
        return None
    return Work("recommendations", "recommendations", champion, ("recommendations",), advice=_LOOK)


def retraining_work(decision: WaitingDecision) -> Work:
    """Return the work that a decision to retrain asks for."""
    return Work("retraining", decision.batch_id, decision.md5, MODEL_ASSETS, advice=_MORE_DATA)


def hold_back(
    pending: Sequence[Pending],
    *,
    blocked: str = "",
    approval: str = "",
    since_last_s: float | None = None,
    policy: RetrainingPolicy,
) -> tuple[Pending, ...]:
    """Let work wait for what has to come first.

    Args:
        pending: all work for the job ``retrain``.
        blocked: why nothing may be started: a champion of a newer release, or another platform that retrains.
        approval: the version that awaits approval, in one sentence; nothing is trained before it is decided on.
        since_last_s: seconds since the last retraining ended; None before the first.
        policy: the cooldown.
    """
    if blocked:
        advice = "it goes on when that has ended; or do what the reason names"
        return tuple(replace(each, work=replace(each.work, waits_for=blocked, advice=advice)) for each in pending)
    if approval:
        pending = [
            each
            if each.work.kind == "recommendations"
            else replace(each, work=replace(each.work, waits_for=approval, advice=_APPROVE))
            for each in pending
        ]
    model = next((each for each in pending if each.work.kind == "model"), None)
    if model is not None and not model.attempt.given_up and not model.work.waits_for:
        reason = "a model is trained first, which answers it"
    elif since_last_s is not None and 0 <= since_last_s < policy.cooldown_s:  # below 0: the clock was set back
        reason = f"the last retraining ended less than {policy.cooldown_s:.0f} s ago"
    else:
        return tuple(pending)
    return tuple(
        replace(each, work=replace(each.work, waits_for=reason, advice="nothing to do"))
        if each.work.kind == "retraining"
        and not (each.attempt.given_up or each.attempt.retry_at or each.work.waits_for)
        else each
        for each in pending
    )


@dataclass(frozen=True, slots=True)
class Request:
    """A run of the job ``retrain`` to start; Dagster starts at most one run a ``run_key``."""

    run_key: str
    kind: WorkKind
    number: int
    reason: str
    tags: Mapping[str, str]
    assets: tuple[str, ...] = ()  # empty for the whole job


def retraining_request(pending: Sequence[Pending]) -> Request | None:
    """Choose the one run to start now: a missing model, else recommendations, else all due decisions together.

    What waits or was given up keeps nothing else from being started.
    """
    due = [each for each in pending if each.is_due]
    for kind in ("model", "recommendations"):
        for each in due:
            if each.work.kind == kind:
                assets = () if kind == "model" else each.work.assets
                reason = f"{kind}, run {each.number}"
                return Request(each.run_key, each.work.kind, each.number, reason, dict([each.work.tag]), assets)
    if not due:
        return None
    evidence = ",".join(f"{each.work.name}:{each.work.content}" for each in due)
    reason = f"retraining for {', '.join(each.work.name for each in due)}"
    number = max(each.number for each in due)
    return Request(
        run_key=f"retrain:{hashlib.sha256(evidence.encode()).hexdigest()[:16]}:{number}",
        kind="retraining",
        number=number,
        reason=reason,
        tags=dict(each.work.tag for each in due) | {"cinematch/reason": reason[:250]},
    )


def decisions_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the decisions that a run was started for, batch_id → md5, from its tags."""
    return {name.removeprefix(_DECISION_TAG): md5 for name, md5 in tags.items() if name.startswith(_DECISION_TAG)}
