"""``model_metrics``: the decision on the candidate, which becomes champion or is rejected.

Here: the asset and its checks. Not here: the rule (``promotion.gate``), the swap (``warehouse.champion``), the shape of
a row (``schemas.model_metrics``).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from cinematch_assets.dagster_support import pictures
from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.change_events import merge_changes, report_changes
from cinematch_assets.dagster_support.markdown import short, table
from cinematch_assets.dagster_support.metadata import readable, rounded, table_metadata
from cinematch_assets.dagster_support.model_checks import better_than_baselines
from cinematch_assets.dagster_support.progress_log import log_progress
from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.dagster_support.run_tags import CANDIDATE, add_tag
from cinematch_assets.dagster_support.spark_pipes import with_spark
from cinematch_assets.dagster_support.table_checks import pandera_schema
from cinematch_assets.defs.model.recommender_model import recommender_model
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.model_metrics import MODEL_METRICS

if TYPE_CHECKING:
    from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate
    from cinematch_assets.warehouse.model_registry import ModelVersion

CHECKS = (better_than_baselines(), pandera_schema(MODEL_METRICS))


@dg.asset(
    group_name="model",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[recommender_model],
    metadata=table_metadata("public.model_metrics", MODEL_METRICS),
)
def model_metrics(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Candidate and champion measured on the same rows; promoted, rejected or awaiting approval, with the evidence."""
    from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
    from cinematch_assets.pipeline.models.training_lease import hold_training_lease
    from cinematch_assets.pipeline.monitoring.facts import loss_since_best
    from cinematch_assets.warehouse.model_registry import find_newest_candidate, list_model_versions

    with checked_when_failing(context, platform):
        version = platform.warehouse.run(find_newest_candidate, context.run.run_id)
        add_tag(context, CANDIDATE, version)
        with hold_training_lease(platform, context.run.run_id):
            gated = gate_candidate(with_spark(platform, context), version, log_progress(context.log.info))
        versions = platform.warehouse.run(list_model_versions)
    report_changes(platform, context.instance, merge_changes(platform, version, gated.merged), None)
    report_row_counts(platform, context.instance, "model_metrics")
    values = gated.as_metadata()
    champion = version if gated.is_promoted else gated.previous_champion
    return dg.MaterializeResult(
        metadata={
            "promoted": values.pop("promoted"),
            "reason": values.pop("reason"),
            "figures": dg.MetadataValue.md(_figures(gated, versions)),
            **pictures.figures_over_versions(versions, champion),
            **rounded({"loss_since_best": loss_since_best(versions, champion)}),
            "by_group": dg.MetadataValue.md(_by_group(values.pop("slices"))),
            **readable(values),
        },
        data_version=dg.DataVersion(version),
    )


model_metrics_checks = build_checks(model_metrics, CHECKS)


def _figures(gated: "GatedCandidate", versions: Sequence["ModelVersion"]) -> str:
    """The candidate as compared, and trained on all rows, as it serves; the champion before it; the baselines."""
    columns = ("rmse", "mae", "catalogue_ndcg_at_10", "coverage")
    summary = gated.evaluation.summary()
    rows: list[tuple[str, Mapping[str, Any]]] = [("candidate", summary)]
    if gated.decision.promoted:
        rows = [("candidate, as compared", {"rmse": gated.decision.candidate_rmse}), ("trained on all rows", summary)]
    if gated.previous_champion is not None:
        former = next(each for each in versions if each.version == gated.previous_champion)
        name = "champion before" if gated.decision.promoted else "champion, which stays"
        rows.append((name, former.metrics or {}))
    rows += [(name, evaluation.summary()) for name, evaluation in gated.baselines.items()]
    values = [
        [name, *("" if row.get(column) is None else short(row[column]) for column in columns)] for name, row in rows
    ]
    return table(["model", "RMSE", "MAE", "nDCG@10", "coverage"], values)


def _by_group(slices: Sequence[Mapping[str, Any]]) -> str:
    """The candidate's errors on parts of the test rows; a part without rows is left out."""
    rows = [(each["name"], f"{each['rows']:,}", short(each["rmse"]), short(each["mae"])) for each in slices]
    return table(["rows of", "rows", "RMSE", "MAE"], [row for row in rows if row[1] != "0"])
