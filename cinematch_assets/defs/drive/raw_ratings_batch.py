"""``raw_ratings_batch``: the file ``batches/<batch_id>.csv|parquet``, landed unchanged.

Here: the asset. Not here: finding, fetching and verifying (``drive``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import checked_when_failing
from cinematch_assets.dagster_support.batch_runs import each_batch
from cinematch_assets.dagster_support.landed import landed_result
from cinematch_assets.defs.partitions import OWNERS, batch_id, one_run_a_batch
from cinematch_assets.pipeline.platform import Platform


@dg.asset(
    group_name="drive",
    kinds={"googledrive", "file"},
    owners=OWNERS,
    partitions_def=batch_id,
    backfill_policy=one_run_a_batch,
)
def raw_ratings_batch(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """A batch's file from the Drive folder, landed unchanged in the store, verified by size and md5."""

    def land(batch: str) -> dg.MaterializeResult:
        from cinematch_assets.pipeline.ingest.land_tables import land_table

        landed = land_table(platform, f"batches/{batch}")
        return landed_result(landed, platform.store.uri(landed.key))

    with checked_when_failing(context, platform):
        return each_batch(context, land)
