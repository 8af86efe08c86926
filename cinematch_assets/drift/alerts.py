"""A batch's rows of ``drift_alerts``: five scores, each against its threshold.

Here: names, thresholds and notes, as the table's readers know them. Not here: whether an alert is reason enough to
retrain (``null_spread`` says what is usual, ``retraining`` decides), storing the rows (``warehouse``).
"""

from dataclasses import dataclass, fields

from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.statistics import ks_test, relative_difference
from cinematch_assets.values import DriftAlert


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """How much of each is too much: shares of the baseline's figure, but for KS, which is a distance."""

    rating_mean: float = 0.10
    rating_std: float = 0.15
    rating_distribution_ks: float = 0.05
    model_rmse: float = 0.10
    model_mae: float = 0.10


@dataclass(frozen=True, slots=True)
class ModelErrors:
    """The champion's errors in stars on its test split and on the batch, which it had not seen."""

    test_rmse: float
    test_mae: float
    batch_rmse: float
    batch_mae: float


STATISTICS = tuple(field.name for field in fields(DriftThresholds))
"""Every ``feature_name`` that a batch can have, in the order of its rows."""


def drift_alerts(
    baseline: RatingHistogram,
    batch: RatingHistogram,
    model: ModelErrors | None = None,
    thresholds: DriftThresholds | None = None,
) -> tuple[DriftAlert, ...]:
    """Three rows a batch, and two more where a champion has been measured on it.

    The rating statistics count movement either way, the model's only getting worse. ``alert_triggered`` follows the
    threshold alone: p-values are noted and decide nothing, because ratings of one user hang together and p-values do
    not know.

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
    """How much larger the batch's error is, as a share of the test's; negative where the batch is easier."""
    size = relative_difference(test, batch)
    return size if size is None or batch >= test else -size


def _compared(baseline: float, new: float) -> str:
    return f"Baseline: {baseline:.3f}, New: {new:.3f}"
