"""A batch's rows of ``drift_alerts``: five scores, each against its threshold.

Here: names, thresholds and notes of the table's rows. Not here: scores without drift (``drift.null_distribution``),
whether an alert is a reason to retrain (``retraining``), storing the rows (``warehouse.drift_alerts``).
"""

from dataclasses import dataclass

from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.statistics import ks_test, relative_difference
from cinematch_assets.values import DriftAlert


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """The scores above which an alert is triggered: shares of the baseline's figure; for KS a distance."""

    rating_mean: float = 0.10
    rating_std: float = 0.15
    rating_distribution_ks: float = 0.05
    model_rmse: float = 0.10
    model_mae: float = 0.10


@dataclass(frozen=True, slots=True)
class ModelErrors:
    """The champion's errors, in stars, on its test split and on the batch, neither of which it was trained on."""

    test_rmse: float
    test_mae: float
    batch_rmse: float
    batch_mae: float


def drift_alerts(
    baseline: RatingHistogram,
    batch: RatingHistogram,
    model: ModelErrors | None = None,
    thresholds: DriftThresholds | None = None,
) -> tuple[DriftAlert, ...]:
    """The rows of one batch: three of its ratings, and two of the champion's errors if ``model`` is given.

    Rating scores count change in either direction, model scores only an increase of the error. ``alert_triggered``
    follows the threshold alone. p-values are noted and decide nothing: they assume independent ratings, and ratings of
    one user are correlated.

    Raises:
        NothingToCompareError: the baseline or the batch is empty.
    """
    limits = thresholds or DriftThresholds()
    ks = ks_test(baseline, batch)
    scores: list[tuple[str, float | None, str]] = [
        ("rating_mean", relative_difference(baseline.mean, batch.mean), _compared(baseline.mean, batch.mean)),
        ("rating_std", relative_difference(baseline.std, batch.std), _compared(baseline.std, batch.std)),
        ("rating_distribution_ks", ks.statistic, f"KS test p-value: {ks.p_value:.4f}"),
    ]
    if model is not None:
        scores += [
            ("model_rmse", _excess(model.test_rmse, model.batch_rmse), _compared(model.test_rmse, model.batch_rmse)),
            ("model_mae", _excess(model.test_mae, model.batch_mae), _compared(model.test_mae, model.batch_mae)),
        ]
    return tuple(
        DriftAlert(
            feature_name=name,
            drift_score=score,
            threshold=getattr(limits, name),
            alert_triggered=score is not None and score > getattr(limits, name),
            notes=notes,
            baseline_rows=baseline.count,
            batch_rows=batch.count,
        )
        for name, score, notes in scores
    )


def _excess(test: float, batch: float) -> float | None:
    """The increase of the error from test split to batch, as a share of the test error; negative for a decrease."""
    difference = relative_difference(test, batch)
    return difference if difference is None or batch >= test else -difference


def _compared(baseline: float, new: float) -> str:
    return f"Baseline: {baseline:.3f}, New: {new:.3f}"
