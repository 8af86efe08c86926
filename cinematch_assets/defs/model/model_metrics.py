"""``model_metrics``: the verdict on the candidate, and the champion that follows from it.

Here: the asset and the check that certifies it. Not here: the rule (``promotion.gate``), the swap
(``warehouse.model_registry``), the shape of a row (``schemas.model_metrics``).
"""

import dagster as dg

from cinematch_assets.dagster_support.metadata import rounded, table_metadata
from cinematch_assets.defs.model.recommender_model import recommender_model
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate, gate_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.model_metrics import MODEL_METRICS
from cinematch_assets.warehouse.model_registry import newest_candidate


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
            description="The judged model predicts better than every baseline, and lists better than popularity.",
        )
    ],
)
def model_metrics(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Candidate and champion measured on the same rows; promoted or rejected, with the evidence stored."""
    with platform.warehouse.connect() as connection:
        version = newest_candidate(connection, context.run.run_id)
    gated = gate_candidate(platform, version, lambda what, share: context.log.info("%s: %.0f %%", what, 100 * share))
    return dg.MaterializeResult(
        metadata={
            "version": gated.version,
            "promoted": gated.verdict.promoted,
            "reason": gated.verdict.reason,
            "champion_before": gated.champion or "none",
            "merged_batches": list(gated.merged),
            "figures": dg.MetadataValue.md(_figures(gated)),
            "evidence": dg.MetadataValue.json(gated.verdict.as_dict()),
            **rounded(gated.evaluation.summary()),
        },
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
