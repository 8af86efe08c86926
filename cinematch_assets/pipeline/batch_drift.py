"""Drift of a batch: five statistics, what they would be without drift, and whether to retrain.

Here: reading what the domain needs, writing what it decides, and the report. Not here: statistics
(``drift.statistics``), the decision (``retraining``).
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from cinematch_assets.drift.alerts import ModelErrors, drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.null_distribution import (
    NullDistribution,
    UserErrors,
    model_null_distribution,
    rating_null_distribution,
)
from cinematch_assets.errors import CinematchError
from cinematch_assets.logs import log_phase
from cinematch_assets.metrics import mae, rmse
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message, load_model
from cinematch_assets.pipeline.models.score_batch import score_batch
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.retraining import BatchFacts, Decision, Evidence, RetrainingPolicy, retraining_decision
from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse import drift_alerts as rows
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.batch_performance import Scores
from cinematch_assets.warehouse.batches import Batch, list_unfinished_batches, mark_batch_reported, read_stored_batch
from cinematch_assets.warehouse.champion import find_scorer, read_champion
from cinematch_assets.warehouse.movies import read_movies

_KEY_DIGITS = 12
"""Of the content's md5 in a report's key, so that its link is not cut on the page of `drift_report`."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchDrift:
    """The statistics of a batch, the decision, and the version that predicted it, or why none did."""

    batch: Batch
    alerts: tuple[DriftAlert, ...]
    null: NullDistribution
    decision: Decision
    scored_by: str | None
    unscored: str | None
    baseline: RatingHistogram
    histogram: RatingHistogram
    scores: Scores | None = None
    """Errors of that version and of its predecessor; None where no version was measured."""

    def as_metadata(self) -> dict[str, Any]:
        """Return the decision, the scores that are defined, and their bounds without drift."""
        scores = {alert.feature_name: alert.drift_score for alert in self.alerts}
        return {
            "retraining_due": self.decision.due,
            "reason": self.decision.reason,
            "scored_by": self.scored_by or self.unscored,
            "null_spread": self.null.as_metadata(),
            **({} if self.scores is None else {"champion_on_batch": asdict(self.scores)}),
            **{name: round(score, 5) for name, score in scores.items() if score is not None},
        }


def assess_batch(platform: Platform, batch_id: str) -> BatchDrift:
    """Compute the statistics of a loaded batch; replace its alerts and its open decision.

    Raises:
        CinematchError: the batch is not in the tables.
    """
    with log_phase(_LOG, f"read {batch_id} and the baseline"), platform.warehouse.session() as session:
        batch = session.run(read_stored_batch, batch_id)
        if batch is None:
            raise CinematchError(f"{batch_id} has no rows in the tables: materialize ratings_buffer for it first")
        if batch.place == "deleted":
            raise CinematchError(f"{batch_id} has no rows in the tables any more: cinematch batches list says why")
        baseline = RatingHistogram(session.run(rows.read_baseline_counts))
        histogram = RatingHistogram(session.run(rows.read_batch_counts, batch_id))
        ratings = session.run(rows.read_batch_rows, batch_id)
        scorer = session.run(find_scorer, batch_id)
        unseen = session.run(rows.count_unseen_ratings)
        champion = session.run(read_champion)
    unscored = _why_unscored(scorer)
    users = np.unique(ratings["userId"].to_numpy(), return_counts=True)[1]
    with log_phase(_LOG, "null distribution of the rating statistics"):
        null = rating_null_distribution(platform.warehouse.read_user_histograms(), users)
    errors = None
    if scorer is not None and unscored is None:
        with log_phase(_LOG, f"errors of {scorer.version} on the batch and the test split"):
            errors, test = _model_errors(platform, scorer, ratings)
            null |= model_null_distribution(test, users)
    alerts = drift_alerts(baseline, histogram, errors)
    facts = BatchFacts(
        batch_id=batch_id,
        rows=len(ratings),
        evidence=tuple(
            Evidence(a.feature_name, a.drift_score, a.threshold, null.upper_bounds.get(a.feature_name)) for a in alerts
        ),
        unseen_ratings=unseen,
        trained_ratings=champion.data_size if champion else 0,
    )
    decision = retraining_decision(facts, RetrainingPolicy.from_settings(platform.settings))
    _LOG.info("retraining %s: %s", "is due" if decision.due else "is not due", decision.reason)
    scored_by = scorer.version if scorer and errors else None
    with log_phase(_LOG, "compare the champion with its predecessor on the batch"):
        scores = score_batch(platform, batch_id, batch.md5, ratings)
    platform.warehouse.run(
        rows.write_assessment,
        batch_id,
        batch.md5,
        alerts,
        due=decision.due,
        reason=decision.reason,
        evidence={"null_spread": null.as_metadata(), "scored_by": scored_by, "unscored": unscored},
    )
    return BatchDrift(batch, alerts, null, decision, scored_by, unscored, baseline, histogram, scores)


def is_assessed(platform: Platform, batch_id: str) -> bool:
    """Return whether the loaded content of a batch has its alerts and its decision."""
    unfinished = {batch.batch_id: batch for batch in platform.warehouse.run(list_unfinished_batches)}
    return batch_id not in unfinished or unfinished[batch_id].is_assessed


def _why_unscored(scorer: model_registry.ModelVersion | None) -> str | None:
    if scorer is None:
        return "no champion yet"
    return None if FormatStatus.of(scorer) is FormatStatus.READABLE else format_message(scorer)


def _model_errors(
    platform: Platform, scorer: model_registry.ModelVersion, batch: pd.DataFrame
) -> tuple[ModelErrors, UserErrors]:
    model = load_model(platform, scorer)
    test = Ratings.from_frame(platform.warehouse.read_test_rows())
    new = Ratings.from_frame(batch)
    on_test, on_batch = (model.predict(part.users, part.movies).errors(part.ratings) for part in (test, new))
    errors = ModelErrors(
        test_rmse=rmse(on_test), test_mae=mae(on_test), batch_rmse=rmse(on_batch), batch_mae=mae(on_batch)
    )
    return errors, UserErrors.from_errors(test.users, on_test)


def report_batch(platform: Platform, batch_id: str) -> str:
    """Store Evidently's HTML report of a batch beside the baseline, with the decision on top; return its key.

    Raises:
        CinematchError: the batch is not in the tables.
    """
    from cinematch_assets.drift.report import BaselineCounts, drift_html  # noqa: PLC0415 - Evidently costs 10 s to import

    with platform.warehouse.session() as session:
        batch = session.run(read_stored_batch, batch_id)
        if batch is None:
            raise CinematchError(f"{batch_id} has no rows in the tables: materialize ratings_buffer for it first")
        ratings = session.run(rows.read_batch_rows, batch_id)
        movies, _ = session.run(read_movies)
        baseline = session.run(rows.read_baseline_sample)
        assessment = _assessment_text(
            session.run(rows.read_batch_assessment, batch_id), session.run(rows.read_batch_decision, batch_id)
        )
    counts = BaselineCounts(*platform.warehouse.read_rating_counts())
    key = f"reports/{batch_id}/{batch.md5[:_KEY_DIGITS]}.html"
    with log_phase(_LOG, "draw the report"):
        page = drift_html(baseline, ratings, movies, batch_id=batch_id, assessment=assessment, counts=counts)
        platform.store.put_bytes(key, page)
    platform.warehouse.run(mark_batch_reported, batch_id, batch.md5)
    return key


def _assessment_text(statistics: Sequence[rows.AssessedStatistic], decision: rows.BatchDecision | None) -> str:
    """Say on the page what was decided, and by which of the statistics; one thing a line."""
    if decision is None:
        return "This batch was not assessed yet: nothing is decided on it."
    lines = [f"Retraining is {'due' if decision.due else 'not due'}. {decision.reason}"]
    lines += [
        "These statistics decide, each over its threshold and over what differences between users reach by chance:"
    ]
    lines += [_line(each) for each in statistics]
    return "\n".join(
        [*lines, *([f"The model's errors are not measured: {decision.unscored}"] if decision.unscored else [])]
    )


def _line(statistic: rows.AssessedStatistic) -> str:
    if statistic.drift_score is None:
        return f"{statistic.feature_name}: undefined"
    over = "over" if statistic.alert_triggered else "under"
    chance = "" if statistic.null_bound is None else f", by chance up to {statistic.null_bound:.4f}"
    return (
        f"{statistic.feature_name}: {statistic.drift_score:.4f}, {over} its threshold {statistic.threshold:.2f}{chance}"
    )
