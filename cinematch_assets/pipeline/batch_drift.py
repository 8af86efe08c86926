"""A batch's verdict: five statistics, what they would be without drift, and whether to retrain.

Here: reading what the domain needs, and writing what it says. Not here: statistics (``drift``), decisions
(``retraining``).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import psycopg

from cinematch_assets.drift.alerts import DriftAlert, ModelErrors, drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.null_distribution import (
    NullDistribution,
    UserErrors,
    model_null_distribution,
    rating_null_distribution,
)
from cinematch_assets.errors import CinematchError
from cinematch_assets.metrics import mae, rmse
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message, load_model
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.retraining import BatchFacts, Decision, Evidence, RetrainingPolicy, retraining_decision
from cinematch_assets.warehouse import drift_alerts as rows
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.batches import Batch, stored_batch
from cinematch_assets.warehouse.champion import read_champion, scorer_of
from cinematch_assets.warehouse.copy import read_frame
from cinematch_assets.warehouse.movies import read_movies
from cinematch_assets.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class BatchDrift:
    """What was found out about a batch, and by which model it was scored, or why by none."""

    batch: Batch
    alerts: tuple[DriftAlert, ...]
    null: NullDistribution
    decision: Decision
    scored_by: str | None
    unscored: str | None


def assess_batch(platform: Platform, batch_id: str) -> BatchDrift:
    """Evaluate a loaded batch and replace its alerts and its open decision.

    Raises:
        CinematchError: the batch is not in the tables.
    """
    with platform.warehouse.connect() as connection:
        batch = stored_batch(connection, batch_id)
        if batch is None or batch.place == "deleted":
            raise CinematchError(f"{batch_id} has no rows in the tables: materialize ratings_buffer for it first")
        baseline = RatingHistogram(rows.baseline_counts(connection))
        histogram = RatingHistogram(rows.batch_counts(connection, batch_id))
        ratings = rows.batch_rows(connection, batch_id)
        scorer, unscored = _scorer_of(connection, batch_id)
        unseen = rows.unseen_ratings(connection)
        champion = read_champion(connection)
    users = np.unique(ratings["userId"].to_numpy(), return_counts=True)[1]
    null = rating_null_distribution(rows.user_histograms(platform.warehouse.url), users)
    errors = None
    if scorer is not None:
        errors, test = _model_errors(platform, scorer, ratings)
        null |= model_null_distribution(test, users)
    alerts = drift_alerts(baseline, histogram, errors)
    facts = BatchFacts(
        batch_id=batch_id,
        rows=len(ratings),
        evidence=tuple(
            Evidence(a.feature_name, a.drift_score, a.threshold, null.bounds.get(a.feature_name)) for a in alerts
        ),
        unseen_ratings=unseen,
        trained_ratings=champion.data_size if champion else 0,
    )
    decision = retraining_decision(facts, policy_of(platform))
    scored_by = scorer.version if scorer else None
    with platform.warehouse.connect() as connection:
        rows.write_assessment(
            connection,
            batch_id,
            batch.md5,
            alerts,
            due=decision.due,
            reason=decision.reason,
            evidence={"null_spread": null.as_metadata(), "scored_by": scored_by, "unscored": unscored},
        )
    return BatchDrift(batch, alerts, null, decision, scored_by, unscored)


def policy_of(platform: Platform) -> RetrainingPolicy:
    """The retraining policy that the settings ask for."""
    settings = platform.settings
    return RetrainingPolicy(
        minimum_rows=settings.retrain_min_rows,
        unseen_share=settings.retrain_unseen_share,
        cooldown_s=settings.retrain_cooldown_s,
        attempts=settings.retrain_max_attempts,
    )


def _scorer_of(connection: psycopg.Connection, batch_id: str) -> tuple[model_registry.ModelVersion | None, str | None]:
    """The version whose errors on a batch count, or why there is none."""
    found = scorer_of(connection, batch_id)
    if found is None:
        return None, "no champion yet"
    if FormatStatus.of(found) is not FormatStatus.READABLE:
        return None, format_message(found)
    return found, None


def _model_errors(
    platform: Platform, scorer: model_registry.ModelVersion, batch: pd.DataFrame
) -> tuple[ModelErrors, UserErrors]:
    model = load_model(platform, scorer)
    test = Ratings.from_frame(
        read_frame(
            platform.warehouse.url, statement("training/select_test_rows"), ("userId", "movieId", "rating", "timestamp")
        )
    )
    new = Ratings.from_frame(batch)
    on_test, on_batch = (model.predict(part.users, part.movies).errors(part.ratings) for part in (test, new))
    errors = ModelErrors(
        test_rmse=rmse(on_test), test_mae=mae(on_test), batch_rmse=rmse(on_batch), batch_mae=mae(on_batch)
    )
    return errors, UserErrors.from_errors(test.users, on_test)


def report_batch(platform: Platform, batch_id: str) -> str:
    """Store Evidently's pictures of a batch beside the baseline; return the report's address."""
    from cinematch_assets.drift.report import TimesSeen, drift_html  # noqa: PLC0415 - Evidently costs 10 s to import

    users, movies_seen = (
        platform.warehouse.read(name, (key, "count")).set_index(key)["count"]
        for name, key in (("training/count_user_ratings", "userId"), ("training/count_movie_ratings", "movieId"))
    )
    with platform.warehouse.connect() as connection:
        batch = stored_batch(connection, batch_id)
        ratings = rows.batch_rows(connection, batch_id)
        movies, _ = read_movies(connection)
        baseline = rows.baseline_sample(connection)
    seen = TimesSeen(users, movies_seen)
    key = f"reports/{batch_id}/{batch.md5 if batch else 'none'}.html"
    platform.store.put_bytes(key, drift_html(baseline, ratings, movies, batch_id=batch_id, seen=seen))
    return platform.store.uri(key)
