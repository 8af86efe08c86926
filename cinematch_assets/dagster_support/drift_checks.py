"""The checks of a batch's drift: one for each statistic.

Here: stored statistics as outcomes of checks. Not here: computing them (``pipeline.batch_drift``), events
(``asset_checks``).
"""

from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import Check, Outcome
from cinematch_assets.dagster_support.markdown import plain, short
from cinematch_assets.pipeline.platform import Platform

if TYPE_CHECKING:
    from cinematch_assets.warehouse.drift_alerts import AssessedStatistic

STATISTICS = {
    "rating_mean": "The mean rating differs from the baseline's by at most its threshold, as a share.",
    "rating_std": "The ratings' standard deviation differs from the baseline's by at most its threshold, as a share.",
    "rating_distribution_ks": "The Kolmogorov-Smirnov distance of ratings and baseline is at most its threshold.",
    "model_rmse": "The champion's RMSE on the batch exceeds that on the test split by at most a share, its threshold.",
    "model_mae": "The champion's MAE on the batch exceeds that on the test split by at most a share, its threshold.",
}
"""The statistics of a batch, and what the check of each claims."""


def drift_checks() -> tuple[Check, ...]:
    """Return a check for each statistic of a batch; a result's description gives score, threshold and null bound."""
    return tuple(
        Check(name, claim, partial(_evaluate, name), severity=dg.AssetCheckSeverity.WARN)
        for name, claim in STATISTICS.items()
    )


def _evaluate(statistic: str, platform: Platform, batch: str | None) -> Outcome:
    from cinematch_assets.warehouse.batches import read_stored_batch
    from cinematch_assets.warehouse.drift_alerts import read_batch_assessment, read_batch_decision

    if batch is None:
        return Outcome(True, "Statistics are of batches: run the check for a partition.")
    with platform.warehouse.session() as session:
        found = {each.feature_name: each for each in session.run(read_batch_assessment, batch)}
        decision = session.run(read_batch_decision, batch)
        stored = session.run(read_stored_batch, batch)
    if stored is None:
        return Outcome(True, f"No rows of `{batch}` are in the tables: there is nothing to compare.")
    if not found:
        return Outcome(True, f"Not measured: `{batch}` was not assessed. **Next:** materialize `drift_report` for it.")
    if statistic not in found:
        why = plain(decision.unscored or "no champion yet") if decision else "no champion yet"
        return Outcome(True, f"Not measured: {why}.")
    alert = found[statistic]
    reason = f"\n\n{plain(decision.reason, 400)}" if decision and alert.alert_triggered else ""
    return Outcome(
        not alert.alert_triggered,
        _in_one_sentence(alert) + reason,
        {
            "score": alert.drift_score,
            "threshold": alert.threshold,
            "null_bound": alert.null_bound,
            "batch_rows": alert.batch_rows,
            "baseline_rows": alert.baseline_rows,
        },
    )


def _in_one_sentence(alert: "AssessedStatistic") -> str:
    score = short(alert.drift_score)
    without_drift = "" if alert.null_bound is None else f"; without drift it stays under {alert.null_bound:.4f}"
    side = "over" if alert.alert_triggered else "within"
    text = f"{score} is {side} the threshold {alert.threshold:.2f}{without_drift}."
    return f"{f'**{text}**' if alert.alert_triggered else text} {plain(alert.notes or '')}"
