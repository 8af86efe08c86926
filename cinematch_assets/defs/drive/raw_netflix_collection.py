"""``raw_netflix_collection``: the files of ``Netflix_Movie_Collection``, as they were dropped.

Here: the asset, and what its page says. Not here: walking, fetching, the ledger (``steps.collecting``).
"""

import dagster as dg

from cinematch_assets.dagster_support.metadata import sentences
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.ingest.netflix_collection import FOLDER, fetch_collection
from cinematch_assets.pipeline.platform import Platform


@dg.asset(group_name="drive", kinds={"googledrive", "file"}, owners=OWNERS)
def raw_netflix_collection(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Each movie file of the collection, in folders in folders; what is new or changed is fetched once and verified."""
    done = fetch_collection(platform, lambda what, share: context.log.info("%s: %.0f %%", what, 100 * share))
    skipped = [f"{entry.path}: {entry.reason}" for entry in done.skipped]
    return dg.MaterializeResult(
        metadata={
            "folder": f"{platform.folder.spec}: {FOLDER}",
            "files": done.files,
            "new": done.listing.new,
            "changed": done.listing.changed,
            "tried_again": done.listing.again,
            "fetched": done.fetched,
            "in_store_already": done.in_store,
            "unchanged": done.unchanged,
            "failed": len(done.failed),
            "skipped": len(skipped),
            "known_but_not_seen": done.listing.missing,
            "what_failed": sentences(done.failed),
            "what_was_left_out": sentences(skipped),
        }
    )
