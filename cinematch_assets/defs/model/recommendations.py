"""``recommendations``: the champion's top-N recommendations for each user with ratings.

Here: the asset and its checks. Not here: ranking (``recommender.ranking``), the shape of a row
(``schemas.recommendations``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import schema_check, storage_check
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.defs.model.model_metrics import model_metrics
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.recommendations import RECOMMENDATIONS


@dg.asset(
    group_name="model",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[model_metrics],
    metadata=table_metadata("public.recommendations", RECOMMENDATIONS),
    check_specs=[
        dg.AssetCheckSpec("schema", asset="recommendations", description="The columns are the declared ones."),
        dg.AssetCheckSpec(
            "storage_budget", asset="recommendations", description="The warehouse is under 85 % of its budget."
        ),
    ],
)
def recommendations(platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Ten movies for each user with ratings, none of which they have rated in any table or split."""
    published = publish_recommendations(platform)
    return dg.MaterializeResult(
        metadata=published.as_metadata(),
        check_results=[
            schema_check(platform.warehouse, "public", RECOMMENDATIONS),
            storage_check(platform.warehouse, platform.settings.storage_budget_mb),
        ],
    )
