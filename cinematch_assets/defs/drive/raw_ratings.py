"""``raw_ratings``: the file ``ratings.csv`` or ``ratings.parquet``, landed unchanged.

Here: the asset. Not here: finding, fetching and verifying (``drive``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import checked_when_failing
from cinematch_assets.dagster_support.landed import landed_result
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.platform import Platform


@dg.asset(group_name="drive", kinds={"googledrive", "file"}, owners=OWNERS)
def raw_ratings(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """The file of ratings from the Drive folder, landed unchanged in the store, verified by size and md5."""
    from cinematch_assets.pipeline.ingest.land_tables import land_table

    with checked_when_failing(context, platform):
        landed = land_table(platform, "ratings")
    return landed_result(landed, platform.store.uri(landed.key))
