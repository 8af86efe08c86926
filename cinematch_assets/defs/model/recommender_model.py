"""``recommender_model``: a candidate, fitted on accepted ratings.

Here: the asset and its check. Not here: the method (``recommender.model``), the decision to promote
(``defs.model.model_metrics``).
"""

import dagster as dg

from cinematch_assets.dagster_support.metadata import uri_metadata
from cinematch_assets.dagster_support.progress_log import log_progress
from cinematch_assets.defs.features.movie_genre_features import movie_genre_features
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.pipeline.models.artifacts import load_model
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.models.training_lease import hold_training_lease, require_waiting
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.retraining import decisions_of
from cinematch_assets.warehouse.model_registry import read_model_version


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
    """A model of all accepted ratings but the newest fifth of each waiting batch, which the gate measures it on."""
    with hold_training_lease(platform, context.run.run_id, keep=True):  # until model_metrics has decided
        require_waiting(platform, decisions_of(context.run.tags))
        candidate = train_candidate(platform, context.run.run_id, log_progress(context.log.info))
    stored = load_model(platform, platform.warehouse.run(read_model_version, candidate.version))
    check = dg.AssetCheckResult(check_name="artifact", passed=stored.method == candidate.model.method)
    return dg.MaterializeResult(
        metadata={
            **candidate.as_metadata(),
            "dagster/uri": uri_metadata(platform.store.uri(candidate.artifact.key)),
        },
        check_results=[check],
    )
