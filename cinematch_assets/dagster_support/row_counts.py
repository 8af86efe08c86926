"""Row counts on the pages of tables, as observations: others than the asset itself change its table too.

Here: which table an asset counts, and an observation when its page shows another count. Not here: other metadata of a
materialization (``metadata``), what a person changed (``change_events``).

Dagster's page shows ``dagster/row_count`` of the newest materialization and, where that has none, of the newest
observation. So the materializations of these assets have none, and each of their observations has.
"""

from collections.abc import Mapping

import dagster as dg

from cinematch_assets.pipeline.platform import Platform

ROW_COUNT = "dagster/row_count"
PARTITION_ROW_COUNT = "dagster/partition_row_count"
BUFFER = "ratings_buffer"
TABLES: Mapping[str, tuple[str, ...]] = {
    "movies": ("movies",),
    "netflix_movies": ("netflix", "movies"),
    "ratings": ("ratings",),
    BUFFER: (BUFFER,),
    "drift_report": ("drift_alerts",),
    "model_metrics": ("model_metrics",),
    "recommendations": ("recommendations",),
}
"""Asset → its table, with the schema where that is not ``public``."""


def report_row_counts(platform: Platform, instance: dg.DagsterInstance, *assets: str) -> None:
    """Observe each of ``assets`` whose page shows another number of rows than its table has."""
    for asset in assets:
        counted = count_metadata(platform, asset)
        if _shown(instance, asset) != counted[ROW_COUNT]:
            instance.report_runless_asset_event(dg.AssetObservation(dg.AssetKey(asset), metadata=counted))


def count_metadata(platform: Platform, asset: str) -> dict[str, int]:
    """Return the number of rows that an asset's table has; nothing for an asset that is no table."""
    from cinematch_assets.warehouse.inspection import count_rows

    return {ROW_COUNT: platform.warehouse.run(count_rows, *TABLES[asset])} if asset in TABLES else {}


def batch_metadata(platform: Platform, batch: str) -> dict[str, int | str]:
    """Return how many rows of a batch the buffer has, and the table that has its rows."""
    from cinematch_assets.warehouse.batches import read_stored_batch

    stored = platform.warehouse.run(read_stored_batch, batch)
    if stored is None:
        return {PARTITION_ROW_COUNT: 0, "place": "none"}
    return {PARTITION_ROW_COUNT: stored.rows if stored.place == "buffer" else 0, "place": stored.place}


def _shown(instance: dg.DagsterInstance, asset: str) -> object:
    records = instance.fetch_observations(dg.AssetKey(asset), limit=1).records
    event = records[0].asset_observation if records else None
    value = event.metadata.get(ROW_COUNT) if event is not None else None
    return None if value is None else value.value
