"""``recommendations``: the champion's top-N recommendations for each user with ratings.

Here: the asset and its checks. Not here: ranking (``recommender.ranking``), the shape of a row
(``schemas.recommendations``).
"""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from cinematch_assets.dagster_support import pictures
from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.dagster_support.model_checks import by_champion
from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.dagster_support.run_tags import CHAMPION, add_tag
from cinematch_assets.dagster_support.table_checks import pandera_schema, storage_budget, structure
from cinematch_assets.defs.model.model_metrics import model_metrics
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import all_batches
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.recommendations import RECOMMENDATIONS

CHECKS = (pandera_schema(RECOMMENDATIONS), structure(RECOMMENDATIONS), by_champion(), storage_budget())

SAMPLE_MOVIES = 3
"""Of the lists of three users, in the metadata."""


class RecommendationsConfig(dg.Config):
    """Options of a run."""

    k: int = Field(default=10, ge=1, le=100, description="Movies for each user; each takes about 60 bytes of database.")


@dg.asset(
    group_name="model",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[model_metrics, ratings, all_batches],
    metadata=table_metadata("public.recommendations", RECOMMENDATIONS),
    # New lists come with a promotion. Without drift that is when 15 % of the ratings are new: four weeks of batches of
    # 43,000 beside a million ratings. Older lists offer movies that people have rated since.
    freshness_policy=dg.FreshnessPolicy.time_window(warn_window=timedelta(days=42), fail_window=timedelta(days=84)),
)
def recommendations(
    context: dg.AssetExecutionContext, config: RecommendationsConfig, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Ten movies for each user with ratings, none of which they have rated in any table or split."""
    from cinematch_assets.pipeline.models.publish import publish_recommendations
    from cinematch_assets.warehouse.monitoring import list_sample_users

    with checked_when_failing(context, platform):
        published = publish_recommendations(platform, config.k)
        add_tag(context, CHAMPION, published.version)
        users = platform.warehouse.run(list_sample_users, SAMPLE_MOVIES)
    report_row_counts(platform, context.instance, "recommendations")
    return dg.MaterializeResult(
        metadata={
            **published.as_metadata(),
            "samples": pictures.sample_lists(users),
            "concentration": pictures.concentration(published.concentration, published.movies),
        },
        data_version=dg.DataVersion(published.sha256),
    )


recommendations_checks = build_checks(recommendations, CHECKS)
