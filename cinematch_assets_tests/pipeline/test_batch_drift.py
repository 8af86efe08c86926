"""Drift of a loaded batch: rows of statistics, one decision, a stored report."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.batch_drift import assess_batch, report_batch
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets_tests.support.platforms import drop_history, given_champion, load_table, rows_of

STATISTICS = {"rating_mean", "rating_std", "rating_distribution_ks"}


@pytest.fixture
def history(platform: Platform) -> pd.DataFrame:
    """The ratings of a loaded file."""
    ratings = drop_history(platform)
    for table in ("movies", "ratings"):
        load_table(platform, table)
    return ratings


def load_batch(platform: Platform, batch: pd.DataFrame) -> None:
    load_table(platform, "batches/batch_w1", batch)


def test_a_batch_without_drift_has_no_alert(platform: Platform, history: pd.DataFrame) -> None:
    given_champion(platform, artifact_format=FORMAT + 1, data_size=1_000_000)
    load_batch(platform, history.sample(2_000, random_state=1))
    drift = assess_batch(platform, "batch_w1")
    assert {alert.feature_name for alert in drift.alerts} == STATISTICS
    assert not any(alert.alert_triggered for alert in drift.alerts)
    assert not drift.decision.due
    assert rows_of(platform, "SELECT state FROM ops.retraining_decisions") == [("not_due",)]


def test_a_batch_with_higher_ratings_is_due_and_its_evidence_is_stored(
    platform: Platform, history: pd.DataFrame
) -> None:
    given_champion(platform, artifact_format=FORMAT + 1, data_size=1_000_000)
    raised = history.sample(2_000, random_state=1)
    load_batch(platform, raised.assign(rating=np.minimum(raised["rating"] + 1.0, 5.0)))
    drift = assess_batch(platform, "batch_w1")
    assert drift.decision.due
    assert "rating_mean" in drift.decision.reason
    alerts = rows_of(platform, "SELECT feature_name, alert_triggered FROM drift_alerts WHERE batch_id = 'batch_w1'")
    assert set(alerts) >= {("rating_mean", True), ("rating_distribution_ks", True)}
    ((evidence,),) = rows_of(platform, "SELECT evidence FROM ops.retraining_decisions")
    assert isinstance(evidence, dict)
    assert evidence["scored_by"] is None
    assert "format" in evidence["unscored"]


def test_a_champion_that_cannot_be_loaded_does_not_score_the_batch(platform: Platform, history: pd.DataFrame) -> None:
    given_champion(platform, artifact_format=FORMAT + 1, data_size=1_000_000)
    load_batch(platform, history.sample(500, random_state=1))
    drift = assess_batch(platform, "batch_w1")
    assert drift.scored_by is None
    assert f"has format {FORMAT + 1}" in str(drift.unscored)


def test_without_a_champion_any_batch_is_due(platform: Platform, history: pd.DataFrame) -> None:
    load_batch(platform, history.sample(50, random_state=1))
    drift = assess_batch(platform, "batch_w1")
    assert (drift.scored_by, drift.unscored) == (None, "no champion yet")
    assert drift.decision.due


def test_metadata_has_the_decision_and_each_defined_score(platform: Platform, history: pd.DataFrame) -> None:
    load_batch(platform, history.sample(500, random_state=1))
    drift = assess_batch(platform, "batch_w1")
    metadata: dict[str, Any] = drift.as_metadata()
    assert (metadata["retraining_due"], metadata["reason"]) == (True, drift.decision.reason)
    assert set(metadata) >= STATISTICS
    assert metadata["rating_mean"] == pytest.approx(drift.alerts[0].drift_score, abs=1e-5)


@pytest.mark.parametrize("work", [assess_batch, report_batch])
def test_a_batch_that_is_not_loaded_is_refused(platform: Platform, history: pd.DataFrame, work: Any) -> None:
    with pytest.raises(CinematchError, match="materialize ratings_buffer for it first"):
        work(platform, "batch_w9")


@pytest.mark.parametrize("new_users", [False, True])
def test_the_report_is_stored_and_knows_which_users_are_new(
    platform: Platform, history: pd.DataFrame, new_users: bool
) -> None:
    batch = history.sample(500, random_state=1)
    load_batch(platform, batch.assign(userId=batch["userId"] + 10_000) if new_users else batch)
    page = platform.store.read_bytes(report_batch(platform, "batch_w1"))
    assert b"<html" in page[:2000]
    assert (b"0 (new)" in page) is new_users


def test_the_report_says_what_was_decided_and_by_which_statistics(platform: Platform, history: pd.DataFrame) -> None:
    load_batch(platform, history.sample(1_500, random_state=1).assign(rating=5.0))
    assert b"not assessed yet" in platform.store.read_bytes(report_batch(platform, "batch_w1"))
    drift = assess_batch(platform, "batch_w1")
    page = platform.store.read_bytes(report_batch(platform, "batch_w1")).decode()
    assert "Retraining is due" in page
    mean = next(each for each in drift.alerts if each.feature_name == "rating_mean")
    assert f"mean: {mean.drift_score:.4f}, over its threshold 0.10, by chance up to " in page
    assert "errors are not measured: no champion yet" in page
