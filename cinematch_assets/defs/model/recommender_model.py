"""``recommender_model``: a candidate, fitted on accepted ratings.

Here: the asset and the check that certifies it. Not here: the method (``recommender``), the verdict
(``model_metrics``).
"""

import dagster as dg

from cinematch_assets.defs.features.movie_genre_features import movie_genre_features
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.pipeline.models.artifacts import load_model
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.model_registry import model_version


@dg.asset(
    group_name="model",
    kinds={"python", "numpy"},
    owners=OWNERS,
    deps=[ratings, movie_genre_features],
    check_specs=[
        dg.AssetCheckSpec(
            "artifact", asset="recommender_model", description="The stored bytes load, with the registered hash."
        )
    ],
)
def recommender_model(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """A model of all accepted ratings but the newest fifth of each waiting batch, which is kept to judge it."""
    candidate = train_candidate(
        platform, context.run.run_id, lambda what, share: context.log.info("%s: %.0f %%", what, 100 * share)
    )
    with platform.warehouse.connect() as connection:
        stored = load_model(platform, model_version(connection, candidate.version))
    check = dg.AssetCheckResult(check_name="artifact", passed=stored.method == candidate.model.method)
    return dg.MaterializeResult(
        metadata={
            "version": candidate.version,
            "method": candidate.model.method,
            "why": candidate.model.reason,
            "trained_on": len(candidate.rows.teach),
            "held_out": len(candidate.rows.judge),
            "batches": [batch.batch_id for batch in candidate.rows.batches],
            "artifact_mb": round(candidate.artifact.size / 2**20, 2),
            "computed_by": dict(candidate.artifact.computed_by or {}),
            "dagster/uri": platform.store.uri(candidate.artifact.key),
        },
        check_results=[check],
    )
