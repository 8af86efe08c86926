import pytest

from cinematch_assets.drift.alerts import STATISTICS, DriftThresholds, ModelErrors, drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram


def stars(**counts: int) -> RatingHistogram:
    return RatingHistogram.from_counts({float(name[1:].replace("_", ".")): count for name, count in counts.items()})


BASELINE = stars(s3=50, s4=50)  # mean 3.5


def test_five_rows_in_the_tables_own_names() -> None:
    alerts = drift_alerts(BASELINE, BASELINE, ModelErrors(0.9, 0.7, 0.9, 0.7))
    assert tuple(alert.feature_name for alert in alerts) == STATISTICS
    assert [alert.threshold for alert in alerts] == [0.10, 0.15, 0.05, 0.10, 0.10]
    assert not any(alert.alert_triggered for alert in alerts)
    assert {(alert.baseline_rows, alert.batch_rows) for alert in alerts} == {(100, 100)}


def test_without_a_champion_there_are_three_rows() -> None:
    assert len(drift_alerts(BASELINE, BASELINE)) == 3


def test_notes_read_as_analysts_know_them() -> None:
    mean, std, ks = drift_alerts(BASELINE, stars(s4=60, s5=40))
    assert mean.notes == "Baseline: 3.500, New: 4.400"
    assert std.notes == "Baseline: 0.503, New: 0.492"
    assert ks.notes == "KS test p-value: 0.0000"


def test_scores_and_triggers_of_a_batch_that_moved_up() -> None:
    mean, std, ks = drift_alerts(BASELINE, stars(s4=60, s5=40))
    assert mean.drift_score == pytest.approx(0.9 / 3.5)
    assert std.drift_score == pytest.approx(1 - 0.4924 / 0.5025, abs=1e-3)
    assert ks.drift_score == 0.5
    assert (mean.alert_triggered, std.alert_triggered, ks.alert_triggered) == (True, False, True)


def test_moving_down_counts_as_much_as_moving_up() -> None:
    down, _, _ = drift_alerts(BASELINE, stars(s3=100))
    up, _, _ = drift_alerts(BASELINE, stars(s4=100))
    assert down.drift_score == up.drift_score == pytest.approx(0.5 / 3.5)


def test_a_triggered_alert_needs_no_p_value() -> None:
    # Four ratings prove nothing, and the alert says so in its note, but the threshold decides.
    ks = drift_alerts(BASELINE, stars(s4=4))[2]
    assert ks.alert_triggered
    assert float(ks.notes.rsplit(" ", 1)[1]) > 0.05


def test_the_threshold_itself_triggers_nothing() -> None:
    limits = DriftThresholds(rating_distribution_ks=0.5)
    assert not drift_alerts(BASELINE, stars(s4=100), thresholds=limits)[2].alert_triggered


def test_a_model_that_errs_less_on_the_batch_has_not_drifted() -> None:
    rmse, mae = drift_alerts(BASELINE, BASELINE, ModelErrors(1.0, 0.8, 0.5, 1.0))[3:]
    assert (rmse.drift_score, rmse.alert_triggered, rmse.notes) == (-0.5, False, "Baseline: 1.000, New: 0.500")
    assert (mae.drift_score, mae.alert_triggered) == (pytest.approx(0.25), True)


def test_one_rating_has_no_spread_to_compare() -> None:
    std = drift_alerts(BASELINE, stars(s4=1))[1]
    assert (std.drift_score, std.alert_triggered, std.notes) == (None, False, "Baseline: 0.503, New: nan")
