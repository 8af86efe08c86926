"""``drift_report``: drift of a batch against the baseline, and whether it is a reason to retrain.

Here: the asset and its checks. Not here: statistics (``drift``), the decision (``retraining``), the shape of a row
(``schemas.drift_alerts``).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from cinematch_assets.dagster_support import pictures
from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.batch_runs import each_batch
from cinematch_assets.dagster_support.change_events import champion_changes, report_changes
from cinematch_assets.dagster_support.drift_checks import drift_checks
from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS, plain, short, table
from cinematch_assets.dagster_support.metadata import readable, report_url, table_metadata, uri_metadata
from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.dagster_support.run_tags import CHAMPION, add_tag
from cinematch_assets.dagster_support.table_checks import pandera_schema
from cinematch_assets.defs.partitions import OWNERS, batch_id, one_run_a_batch
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import ratings_buffer
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.drift_alerts import DRIFT_ALERTS

if TYPE_CHECKING:
    from cinematch_assets.pipeline.batch_drift import BatchDrift

CHECKS = (pandera_schema(DRIFT_ALERTS), *drift_checks())


class DriftReportConfig(dg.Config):
    """Options of a run."""

    only_missing: bool = Field(
        default=False,
        description="Keep an assessment of the loaded content, and only make the report: for a run that could write no "
        "report.",
    )


@dg.asset(
    group_name="drift",
    kinds={"postgres", "evidently"},
    owners=OWNERS,
    partitions_def=batch_id,
    backfill_policy=one_run_a_batch,
    deps=[ratings_buffer, ratings],
    metadata=table_metadata("public.drift_alerts", DRIFT_ALERTS),
)
def drift_report(
    context: dg.AssetExecutionContext, config: DriftReportConfig, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Five statistics in `drift_alerts`, the retraining decision, and Evidently's report on the batch."""

    def assess(batch: str) -> dg.MaterializeResult:
        from cinematch_assets.pipeline.batch_drift import assess_batch, is_assessed, report_batch
        from cinematch_assets.pipeline.models.score_batch import roll_back_if_worse

        if config.only_missing and is_assessed(platform, batch):
            return dg.MaterializeResult(metadata=_report(platform, report_batch(platform, batch)))
        drift = assess_batch(platform, batch)
        if drift.scored_by is not None:
            add_tag(context, CHAMPION, drift.scored_by)
        rollback = roll_back_if_worse(platform)
        if rollback is not None:
            report_changes(platform, context.instance, champion_changes(rollback), None)
        report = report_batch(platform, batch)
        report_row_counts(platform, context.instance, "drift_report")
        return dg.MaterializeResult(
            metadata={
                "retraining_due": drift.decision.due,
                "reason": drift.decision.reason,
                **({} if rollback is None else {"rollback": rollback}),
                "scores": pictures.drift_scores(drift.alerts, drift.null.upper_bounds),
                "ratings": pictures.ratings_beside_history(drift.baseline.counts, drift.histogram.counts),
                "statistics": dg.MetadataValue.md(_statistics(drift)),
                **_report(platform, report),
                **readable(drift.as_metadata()),
            }
        )

    with checked_when_failing(context, platform):
        return each_batch(context, assess)


drift_report_checks = build_checks(drift_report, CHECKS, batch_id)


def _report(platform: Platform, key: str) -> dict[str, Any]:
    """The link that opens it in the UI, and where it is stored."""
    return {"report": report_url(key), "dagster/uri": uri_metadata(platform.store.uri(key))}


def _statistics(drift: "BatchDrift") -> str:
    """Four narrow columns, or Dagster's page cuts every text at the right; what is over its threshold is bold."""
    rows = []
    for alert in drift.alerts:
        score = short(alert.drift_score)
        bound = drift.null.upper_bounds.get(alert.feature_name)
        shown = f"**{score}**" if alert.alert_triggered else score
        name = alert.feature_name.removeprefix("rating_").replace("_", " ")
        rows.append((name, shown, f"{alert.threshold:.2f}", "" if bound is None else short(bound)))
    notes = "\n".join(f"* {row[0]}: {plain(alert.notes)}" for row, alert in zip(rows, drift.alerts, strict=True))
    figures = table(("statistic", "score", "threshold", "by chance"), rows)
    text = f"{figures}\n\n{notes}"
    return text if len(text) < INLINE_CHARACTERS else figures
