"""``recommender_model``: a candidate, fitted on accepted ratings.

Here: the asset and its check. Not here: the method (``recommender.model``), the decision to promote
(``defs.model.model_metrics``).
"""

import dagster as dg
from pydantic import Field

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.metadata import readable, uri_metadata
from cinematch_assets.dagster_support.model_checks import artifact
from cinematch_assets.dagster_support.progress_log import log_progress
from cinematch_assets.dagster_support.run_tags import CANDIDATE, add_tag
from cinematch_assets.dagster_support.spark_pipes import with_spark
from cinematch_assets.defs.features.movie_genre_features import movie_genre_features
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import all_batches
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.retraining import decisions_of

CHECKS = (artifact(),)


class TrainingConfig(dg.Config):
    """Options of a run."""

    seed: int | None = Field(
        default=None, ge=0, description="Seed of all random numbers of this model; by default CINEMATCH_SEED."
    )
    time_budget_s: float | None = Field(
        default=None,
        gt=0,
        description="Processor time in seconds that sampling the rating model may take, 100 by default: fewer seconds "
        "mean fewer sweeps, and least squares where too few are left. It is counted as work of 20 ns a unit and not by "
        "a clock, so that the version can be rebuilt byte for byte.",
    )


@dg.asset(
    group_name="model",
    kinds={"python", "numpy"},
    owners=OWNERS,
    deps=[ratings, all_batches, movie_genre_features],
    code_version="artifact-format-4",
)
def recommender_model(
    context: dg.AssetExecutionContext, config: TrainingConfig, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """A model of all accepted ratings but the newest fifth of each waiting batch, which the gate measures it on."""
    from cinematch_assets.pipeline.models.train_candidate import train_candidate
    from cinematch_assets.pipeline.models.training_lease import hold_training_lease, require_waiting

    # Until model_metrics has decided, the lease is kept.
    with checked_when_failing(context, platform), hold_training_lease(platform, context.run.run_id, keep=True):
        require_waiting(platform, decisions_of(context.run.tags))
        candidate = train_candidate(
            with_spark(platform, context),
            context.run.run_id,
            log_progress(context.log.info),
            seed=config.seed,
            time_budget_s=config.time_budget_s,
        )
        add_tag(context, CANDIDATE, candidate.version)
    return dg.MaterializeResult(
        metadata={
            **readable(candidate.as_metadata()),
            "dagster/uri": uri_metadata(platform.store.uri(candidate.artifact.key)),
        },
        data_version=dg.DataVersion(candidate.artifact.sha256),
    )


recommender_model_checks = build_checks(recommender_model, CHECKS)
