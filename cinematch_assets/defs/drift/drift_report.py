"""``drift_report``: what is different about a batch, and whether that is a reason to retrain.

Here: the asset. Not here: statistics (``drift``), the decision (``retraining``), the shape of a row
(``schemas.drift_alerts``).
"""

from typing import Any

import dagster as dg

from cinematch_assets.dagster_support.batch_runs import each_batch
from cinematch_assets.dagster_support.metadata import rounded, table_metadata
from cinematch_assets.defs.partitions import OWNERS, batch_id, one_run_a_batch
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import ratings_buffer
from cinematch_assets.pipeline.batch_drift import BatchDrift, assess_batch, report_batch
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.drift_alerts import DRIFT_ALERTS


@dg.asset(
    group_name="drift",
    kinds={"postgres", "evidently"},
    owners=OWNERS,
    partitions_def=batch_id,
    backfill_policy=one_run_a_batch,
    deps=[ratings_buffer, ratings],
    metadata=table_metadata("public.drift_alerts", DRIFT_ALERTS),
)
def drift_report(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Five statistics in ``drift_alerts``, the retraining decision, and Evidently's pictures of the batch."""

    def judge(batch: str) -> dict[str, Any]:
        verdict = assess_batch(platform, batch)
        context.log.info(verdict.decision.reason)
        report = report_batch(platform, batch)
        return {
            "retraining_due": verdict.decision.due,
            "reason": verdict.decision.reason,
            "scored_by": verdict.scored_by or verdict.unscored,
            "statistics": dg.MetadataValue.md(_statistics(verdict)),
            "null_spread": dg.MetadataValue.json(verdict.null.as_metadata()),
            "report": dg.MetadataValue.url(report),
            **rounded({alert.feature_name: alert.drift_score for alert in verdict.alerts}),
        }

    return each_batch(context, judge)


def _statistics(verdict: BatchDrift) -> str:
    lines = ["| statistic | score | threshold | without drift | alert | |", "|---|---|---|---|---|---|"]
    for alert in verdict.alerts:
        score = "undefined" if alert.drift_score is None else f"{alert.drift_score:.4f}"
        bound = verdict.null.upper_bounds.get(alert.feature_name)
        usual = "" if bound is None else f"up to {bound:.4f}"
        fired = "**yes**" if alert.alert_triggered else "no"
        lines.append(f"| {alert.feature_name} | {score} | {alert.threshold:.2f} | {usual} | {fired} | {alert.notes} |")
    return "\n".join(lines)
