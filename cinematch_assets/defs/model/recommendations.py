"""``recommendations``: the champion's top-N recommendations for each user with ratings.

Here: the asset and its checks. Not here: ranking (``recommender.ranking``), the shape of a row
(``schemas.recommendations``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.dagster_support.model_checks import by_champion
from cinematch_assets.dagster_support.table_checks import pandera_schema, storage_budget, structure
from cinematch_assets.defs.model.model_metrics import model_metrics
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.ratings import ratings
from cinematch_assets.defs.tables.ratings_buffer import all_batches
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.recommendations import RECOMMENDATIONS

CHECKS = (pandera_schema(RECOMMENDATIONS), structure(RECOMMENDATIONS), by_champion(), storage_budget())


@dg.asset(
    group_name="model",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[model_metrics, ratings, all_batches],
    metadata=table_metadata("public.recommendations", RECOMMENDATIONS),
)
def recommendations(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Ten movies for each user with ratings, none of which they have rated in any table or split."""
    with checked_when_failing(context, platform):
        published = publish_recommendations(platform)
    return dg.MaterializeResult(metadata=published.as_metadata())


recommendations_checks = build_checks(recommendations, CHECKS)
