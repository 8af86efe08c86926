"""``recommendations_export``: the published lists as files for other systems.

Here: the asset. Not here: the files and their contract (``pipeline.models.export_recommendations``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import checked_when_failing
from cinematch_assets.dagster_support.metadata import uri_metadata
from cinematch_assets.defs.model.recommendations import recommendations
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.platform import Platform


@dg.asset(group_name="model", kinds={"parquet", "csv"}, owners=OWNERS, deps=[recommendations])
def recommendations_export(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """The lists as Parquet and CSV in the store, and `latest.json`, which names the newest."""
    from cinematch_assets.pipeline.models.export_recommendations import LATEST_KEY, export_recommendations

    with checked_when_failing(context, platform):
        exported = export_recommendations(platform)
    return dg.MaterializeResult(
        metadata={**exported.as_metadata(), "dagster/uri": uri_metadata(platform.store.uri(LATEST_KEY))},
        data_version=dg.DataVersion(exported.sha256),
    )
