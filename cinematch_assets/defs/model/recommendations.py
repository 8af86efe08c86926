"""``recommendations``: the champion's list for everybody.

Here: the asset and the check that certifies it. Not here: ranking (``recommender``), the shape of a row
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
    """Ten movies for each user who has rated any, none that he has rated in any table or split."""
    lists = publish_recommendations(platform)
    with platform.warehouse.connect() as connection:
        checks = [
            schema_check(connection, "public", RECOMMENDATIONS),
            storage_check(connection, platform.settings.storage_budget_mb),
        ]
    return dg.MaterializeResult(
        metadata={
            "version": lists.version,
            "users": lists.users,
            "different_films": lists.movies,
            "dagster/row_count": lists.rows,
        },
        check_results=checks,
    )
