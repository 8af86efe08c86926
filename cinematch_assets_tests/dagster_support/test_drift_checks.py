"""A check for each statistic of a batch, from what the assessment stored."""

import dagster as dg
import pytest

from cinematch_assets.dagster_support.drift_checks import STATISTICS, drift_checks
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse.batches import read_stored_batch
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets_tests.support.platforms import RATINGS, insert_movies, load_table


@pytest.fixture
def platform(platform: Platform) -> Platform:
    insert_movies(platform, (10, "Heat"))
    load_table(platform, "batches/batch_w1", f"{RATINGS}1,10,4.0,1000000000\n")
    return platform


def assess(platform: Platform, score: float | None, *, bound: float = 0.017, batch: str = "batch_w1") -> None:
    alert = DriftAlert(
        "rating_mean", score, 0.1, score is not None and score > 0.1, "Baseline: 3.540, New: 3.968", 700, 1_500
    )
    evidence = {"null_spread": {"bounds": {"rating_mean": bound}}, "unscored": "no champion yet"}
    stored = platform.warehouse.run(read_stored_batch, batch)
    assert stored is not None
    platform.warehouse.run(
        write_assessment, batch, stored.md5, [alert], due=False, reason=f"{batch}: why", evidence=evidence
    )


def test_the_statistics_are_those_of_the_assessment() -> None:
    from cinematch_assets.drift.alerts import DriftThresholds

    assert set(STATISTICS) == set(DriftThresholds.__dataclass_fields__)
    assert {check.severity for check in drift_checks()} == {dg.AssetCheckSeverity.WARN}


@pytest.mark.parametrize(("score", "passed"), [(0.12, False), (0.02, True), (None, True)])
def test_score_threshold_and_null_bound_are_given(platform: Platform, score: float | None, passed: bool) -> None:
    assess(platform, score)
    check = next(check for check in drift_checks() if check.name == "rating_mean")
    outcome = check.evaluate(platform, "batch_w1")
    assert outcome.passed is passed
    assert (outcome.metadata["score"], outcome.metadata["threshold"]) == (score, 0.1)
    assert outcome.metadata["null_bound"] == 0.017
    assert "0.10" in outcome.description
    assert "0.0170" in outcome.description
    assert "3.968" in outcome.description


def test_what_was_not_measured_is_no_drift_and_says_why(platform: Platform) -> None:
    checks = {check.name: check for check in drift_checks()}
    unassessed = checks["rating_mean"].evaluate(platform, "batch_w1")
    assert unassessed.passed
    assert "Not measured" in unassessed.description
    assert "materialize `drift_report`" in unassessed.description
    assert checks["rating_mean"].evaluate(platform, "batch_w2").passed  # it has no rows: nothing was left undone
    assess(platform, 0.02)
    unscored = checks["model_rmse"].evaluate(platform, "batch_w1")
    assert unscored.passed
    assert "no champion yet" in unscored.description
