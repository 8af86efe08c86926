"""``model_metrics``: the decision on the candidate, which becomes champion or is rejected.

Here: the asset and its checks. Not here: the rule (``promotion.gate``), the swap (``warehouse.champion``), the shape of
a row (``schemas.model_metrics``).
"""

from typing import TYPE_CHECKING

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.metadata import rounded, table_metadata
from cinematch_assets.dagster_support.model_checks import better_than_baselines
from cinematch_assets.dagster_support.progress_log import log_progress
from cinematch_assets.dagster_support.table_checks import pandera_schema
from cinematch_assets.defs.model.recommender_model import recommender_model
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.model_metrics import MODEL_METRICS

if TYPE_CHECKING:
    from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate

CHECKS = (better_than_baselines(), pandera_schema(MODEL_METRICS))


@dg.asset(
    group_name="model",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[recommender_model],
    metadata=table_metadata("public.model_metrics", MODEL_METRICS),
)
def model_metrics(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Candidate and champion measured on the same rows; promoted or rejected, with the evidence stored."""
    from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
    from cinematch_assets.pipeline.models.training_lease import hold_training_lease
    from cinematch_assets.warehouse.model_registry import find_newest_candidate

    with checked_when_failing(context, platform):
        version = platform.warehouse.run(find_newest_candidate, context.run.run_id)
        with hold_training_lease(platform, context.run.run_id):
            gated = gate_candidate(platform, version, log_progress(context.log.info))
    return dg.MaterializeResult(
        metadata={**rounded(gated.as_metadata()), "figures": dg.MetadataValue.md(_figures(gated))},
        data_version=dg.DataVersion(version),
    )


model_metrics_checks = build_checks(model_metrics, CHECKS)


def _figures(gated: "GatedCandidate") -> str:
    columns = ("rmse", "mae", "precision_at_10", "catalogue_precision_at_10", "catalogue_ndcg_at_10", "coverage")
    lines = ["| model | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, evaluation in ((gated.version, gated.evaluation), *gated.baselines.items()):
        values = (getattr(evaluation, column) for column in columns)
        lines.append(f"| {name} | " + " | ".join("" if v is None else f"{v:.4f}" for v in values) + " |")
    return "\n".join(lines)
