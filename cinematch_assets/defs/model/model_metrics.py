"""``model_metrics``: the decision on the candidate, which becomes champion or is rejected.

Here: the asset and its check. Not here: the rule (``promotion.gate``), the swap (``warehouse.champion``), the shape of
a row (``schemas.model_metrics``).
"""

import dagster as dg

from cinematch_assets.dagster_support.metadata import rounded, table_metadata
from cinematch_assets.dagster_support.progress_log import log_progress
from cinematch_assets.defs.model.recommender_model import recommender_model
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate, gate_candidate
from cinematch_assets.pipeline.models.training_lease import hold_training_lease
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.model_metrics import MODEL_METRICS
from cinematch_assets.warehouse.model_registry import find_newest_candidate


@dg.asset(
    group_name="model",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[recommender_model],
    metadata=table_metadata("public.model_metrics", MODEL_METRICS),
    check_specs=[
        dg.AssetCheckSpec(
            "better_than_baselines",
            asset="model_metrics",
            description="The candidate predicts better than every baseline, and ranks better than popularity.",
        )
    ],
)
def model_metrics(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Candidate and champion measured on the same rows; promoted or rejected, with the evidence stored."""
    version = platform.warehouse.run(find_newest_candidate, context.run.run_id)
    with hold_training_lease(platform, context.run.run_id):
        gated = gate_candidate(platform, version, log_progress(context.log.info))
    return dg.MaterializeResult(
        metadata={**rounded(gated.as_metadata()), "figures": dg.MetadataValue.md(_figures(gated))},
        check_results=[_better_than_baselines(gated)],
    )


def _better_than_baselines(gated: GatedCandidate) -> dg.AssetCheckResult:
    others = gated.baselines.values()
    best_rmse = min(other.rmse for other in others)
    best_ndcg = max(other.catalogue_ndcg_at_10 or 0.0 for other in others)
    return dg.AssetCheckResult(
        check_name="better_than_baselines",
        passed=gated.evaluation.rmse < best_rmse and (gated.evaluation.catalogue_ndcg_at_10 or 0.0) > best_ndcg,
        metadata={
            "rmse": round(gated.evaluation.rmse, 4),
            "best_baseline_rmse": round(best_rmse, 4),
            "catalogue_ndcg_at_10": round(gated.evaluation.catalogue_ndcg_at_10 or 0.0, 4),
            "best_baseline_ndcg": round(best_ndcg, 4),
        },
    )


def _figures(gated: GatedCandidate) -> str:
    columns = ("rmse", "mae", "precision_at_10", "catalogue_precision_at_10", "catalogue_ndcg_at_10", "coverage")
    lines = ["| model | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, evaluation in ((gated.version, gated.evaluation), *gated.baselines.items()):
        values = (getattr(evaluation, column) for column in columns)
        lines.append(f"| {name} | " + " | ".join("" if v is None else f"{v:.4f}" for v in values) + " |")
    return "\n".join(lines)
