"""Changes by a command or another asset, as events of the assets that they change, and on the monitoring page.

Here: what a command tells Dagster and the page once it is done, and a promotion of the batches that moved. Not here:
the changes (``pipeline.models.publish``, ``pipeline.ingest.release_rejects``), the audit (``warehouse.audit``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dagster as dg

from cinematch_assets.dagster_support.monitoring_page import write_page
from cinematch_assets.dagster_support.row_counts import BUFFER, batch_metadata, count_metadata
from cinematch_assets.pipeline.platform import Platform


@dataclass(frozen=True, slots=True)
class ChangedAsset:
    """An asset, or one partition of it, that another than its own step changed, and what was done in one sentence."""

    name: str
    what: str
    partition: str | None = None


def show_changes(platform: Platform, changes: Sequence[ChangedAsset], reason: str | None) -> None:
    """Write the page again; where Dagster has an instance, each changed asset gets an observation too."""
    from cinematch_assets.dagster_support.instance import existing_instance  # loads Dagster's storage

    with existing_instance(platform.settings) as instance:
        write_page(platform, instance)
        if instance is not None:
            report_changes(platform, instance, changes, reason)


def report_changes(
    platform: Platform, instance: dg.DagsterInstance, changes: Sequence[ChangedAsset], reason: str | None
) -> None:
    """Report an observation of each changed asset, with the rows that its table has now."""
    for change in changes:
        metadata: dict[str, str | int] = {
            "change": change.what,
            "by": str(platform.actor),
            **({"reason": reason} if reason else {}),
            **count_metadata(platform, change.name),
            **(batch_metadata(platform, change.partition) if change.partition else {}),
        }
        instance.report_runless_asset_event(
            dg.AssetObservation(
                dg.AssetKey(change.name), description=change.what, partition=change.partition, metadata=metadata
            )
        )


def champion_changes(what: str) -> list[ChangedAsset]:
    """The assets that another champion changes: the decision in force, and the lists that are offered."""
    return [ChangedAsset(name, what) for name in ("model_metrics", "recommendations")]


def merge_changes(platform: Platform, version: str, batches: Sequence[str]) -> list[ChangedAsset]:
    """Return what a promotion changed: the ratings, and the buffer's partition of each batch that moved."""
    if not batches:
        return []
    named = ", ".join(batches)
    if platform.settings.merge == "delete":
        return [ChangedAsset(BUFFER, f"deleted after {version} was trained on it", each) for each in batches]
    return [
        ChangedAsset("ratings", f"{named} merged on the promotion of {version}"),
        *(ChangedAsset(BUFFER, f"merged into ratings on the promotion of {version}", each) for each in batches),
    ]


def erasure_changes(erasure: int, batches: Collection[str]) -> list[ChangedAsset]:
    """Return what an erasure changed; ``batches`` were in the buffer before it."""
    what = f"rows of erased people removed: erasure {erasure}"
    return [
        *(ChangedAsset(name, what) for name in ("ratings", "recommendations", "model_metrics")),
        *(ChangedAsset(BUFFER, what, batch) for batch in sorted(batches)),
    ]


def buffered_batches(platform: Platform) -> set[str]:
    """Return the batches whose rows are in the buffer."""
    from cinematch_assets.warehouse.monitoring import list_arrivals

    return {each.batch_id for each in platform.warehouse.run(list_arrivals) if each.place == "buffer"}
