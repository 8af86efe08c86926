"""Changes by hand, as events of the assets that they change, and on the monitoring page.

Here: what a command tells Dagster and the page once it is done. Not here: the changes (``pipeline.models.publish``,
``pipeline.ingest.release_rejects``), the audit (``warehouse.audit``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from cinematch_assets.dagster_support.instance import existing_instance
from cinematch_assets.dagster_support.monitoring_page import write_page
from cinematch_assets.pipeline.platform import Platform


@dataclass(frozen=True, slots=True)
class ChangedAsset:
    """An asset, or one partition of it, that a person changed, and what was done in one sentence."""

    name: str
    what: str
    partition: str | None = None


def show_changes(platform: Platform, changes: Sequence[ChangedAsset], reason: str | None) -> None:
    """Write the page again; where Dagster has an instance, each changed asset gets an observation too."""
    with existing_instance(platform.settings) as instance:
        write_page(platform, instance)
        if instance is not None:
            report_changes(instance, changes, by=platform.actor.name, reason=reason)


def report_changes(
    instance: dg.DagsterInstance, changes: Sequence[ChangedAsset], *, by: str, reason: str | None
) -> None:
    """Report an observation of each changed asset, outside of any run."""
    for change in changes:
        metadata = {"change": change.what, "by": by, **({"reason": reason} if reason else {})}
        instance.report_runless_asset_event(
            dg.AssetObservation(
                dg.AssetKey(change.name), description=change.what, partition=change.partition, metadata=metadata
            )
        )


def champion_changes(what: str) -> list[ChangedAsset]:
    """The assets that another champion changes: the decision in force, and the lists that are offered."""
    return [ChangedAsset(name, what) for name in ("model_metrics", "recommendations")]
