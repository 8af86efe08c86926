"""``raw_netflix_collection``: the files of ``Netflix_Movie_Collection``, landed unchanged.

Here: the asset. Not here: listing, fetching, the ledger (``pipeline.ingest.netflix_collection``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import checked_when_failing
from cinematch_assets.dagster_support.metadata import messages
from cinematch_assets.dagster_support.progress_log import log_progress
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import COLLECTION


@dg.asset(group_name="drive", kinds={"googledrive", "file"}, owners=OWNERS)
def raw_netflix_collection(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Each movie file of the collection, in nested folders; what is new or changed is fetched once and verified."""
    from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection

    with checked_when_failing(context, platform):
        collection = fetch_collection(platform, log_progress(context.log.info))
    return dg.MaterializeResult(
        metadata={
            "folder": f"{platform.folder.spec}: {COLLECTION}",
            **collection.as_metadata(),
            "failures": messages(collection.failed),
            "skipped_entries": messages([f"{entry.path}: {entry.reason}" for entry in collection.skipped]),
        }
    )
