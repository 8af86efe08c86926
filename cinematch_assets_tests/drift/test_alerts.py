import pytest

from cinematch_assets.drift.alerts import DriftThresholds, ModelErrors, drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram


def make_histogram(**counts: int) -> RatingHistogram:
    """``r3=50, r4_5=1``: fifty ratings of 3.0 and one of 4.5."""
    return RatingHistogram.from_counts({float(name[1:].replace("_", ".")): count for name, count in counts.items()})


BASELINE = make_histogram(r3=50, r4=50)  # mean 3.5


def test_with_a_champion_a_batch_has_five_rows() -> None:
    alerts = drift_alerts(BASELINE, BASELINE, ModelErrors(0.9, 0.7, 0.9, 0.7))
    names = [alert.feature_name for alert in alerts]
    assert names == ["rating_mean", "rating_std", "rating_distribution_ks", "model_rmse", "model_mae"]
    assert [alert.threshold for alert in alerts] == [0.10, 0.15, 0.05, 0.10, 0.10]
    assert not any(alert.alert_triggered for alert in alerts)
    assert {(alert.baseline_rows, alert.batch_rows) for alert in alerts} == {(100, 100)}


def test_without_a_champion_a_batch_has_three_rows() -> None:
    assert len(drift_alerts(BASELINE, BASELINE)) == 3


def test_notes_are_written_as_in_the_former_system() -> None:
    mean, std, ks = drift_alerts(BASELINE, make_histogram(r4=60, r5=40))
    assert mean.notes == "Baseline: 3.500, New: 4.400"
    assert std.notes == "Baseline: 0.503, New: 0.492"
    assert ks.notes == "KS test p-value: 0.0000"


def test_scores_and_triggers_of_a_batch_that_moved_up() -> None:
    mean, std, ks = drift_alerts(BASELINE, make_histogram(r4=60, r5=40))
    assert mean.drift_score == pytest.approx(0.9 / 3.5)
    assert std.drift_score == pytest.approx(1 - 0.4924 / 0.5025, abs=1e-3)
    assert ks.drift_score == 0.5
    assert (mean.alert_triggered, std.alert_triggered, ks.alert_triggered) == (True, False, True)


def test_a_lower_mean_scores_as_a_higher_one() -> None:
    down, _, _ = drift_alerts(BASELINE, make_histogram(r3=100))
    up, _, _ = drift_alerts(BASELINE, make_histogram(r4=100))
    assert down.drift_score == up.drift_score == pytest.approx(0.5 / 3.5)


def test_an_alert_does_not_depend_on_the_p_value() -> None:
    # Of four ratings the difference is not significant, as the note says, but the threshold decides.
    ks = drift_alerts(BASELINE, make_histogram(r4=4))[2]
    assert ks.alert_triggered
    assert float(ks.notes.rsplit(" ", 1)[1]) > 0.05


def test_a_score_equal_to_the_threshold_triggers_no_alert() -> None:
    limits = DriftThresholds(rating_distribution_ks=0.5)
    assert not drift_alerts(BASELINE, make_histogram(r4=100), thresholds=limits)[2].alert_triggered


def test_smaller_errors_on_the_batch_are_no_drift() -> None:
    rmse, mae = drift_alerts(BASELINE, BASELINE, ModelErrors(1.0, 0.8, 0.5, 1.0))[3:]
    assert (rmse.drift_score, rmse.alert_triggered, rmse.notes) == (-0.5, False, "Baseline: 1.000, New: 0.500")
    assert (mae.drift_score, mae.alert_triggered) == (pytest.approx(0.25), True)


def test_the_standard_deviation_of_one_rating_is_undefined_and_triggers_no_alert() -> None:
    std = drift_alerts(BASELINE, make_histogram(r4=1))[1]
    assert (std.drift_score, std.alert_triggered, std.notes) == (None, False, "Baseline: 0.503, New: nan")
