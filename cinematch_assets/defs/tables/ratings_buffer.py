"""``ratings_buffer``: batches that no champion was trained on yet.

Here: the asset, its freshness, its checks. Not here: parsing (``reading``), the transaction
(``warehouse.batches``), the shape of a row (``schemas.ratings_buffer``).
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.batch_runs import each_batch
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.dagster_support.row_counts import BUFFER, batch_metadata, report_row_counts
from cinematch_assets.dagster_support.table_checks import (
    newest_batch,
    pandera_schema,
    referential_integrity,
    refusal_in_words,
    rejected_metadata,
    rejected_rows,
    structure,
)
from cinematch_assets.defs.drive.raw_ratings_batch import raw_ratings_batch
from cinematch_assets.defs.partitions import OWNERS, batch_id, one_run_a_batch
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.limits import MAX_BATCH_AGE
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.ratings import RATINGS
from cinematch_assets.schemas.ratings_buffer import RATINGS_BUFFER

CHECKS = (
    pandera_schema(RATINGS_BUFFER, merged_into=RATINGS),
    structure(RATINGS_BUFFER),
    rejected_rows(RATINGS_BUFFER),
    referential_integrity(RATINGS_BUFFER),
)
WHOLE_CHECKS = (newest_batch(),)
"""Of all batches together."""


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    partitions_def=batch_id,
    backfill_policy=one_run_a_batch,
    deps=[raw_ratings_batch, movies],
    metadata=table_metadata("public.ratings_buffer", RATINGS_BUFFER),
    # A batch comes each week: one day late it warns, and after a second week without one it fails.
    freshness_policy=dg.FreshnessPolicy.time_window(warn_window=MAX_BATCH_AGE, fail_window=timedelta(days=15)),
)
def ratings_buffer(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """One batch, loaded completely or not at all, with its row in `ingestion_metadata`; a merged one is replaced."""

    def load(batch: str) -> dg.MaterializeResult:
        from cinematch_assets.pipeline.ingest.load_tables import load_batch_file

        loaded = load_batch_file(platform, batch)
        report_row_counts(platform, context.instance, BUFFER, "ratings")
        return dg.MaterializeResult(
            metadata={
                **rejected_metadata(platform, RATINGS_BUFFER, batch),
                **loaded.as_metadata(),
                **batch_metadata(platform, batch),
            },
            data_version=dg.DataVersion(f"{loaded.file.md5}-{loaded.counts.accepted}"),  # released rows come later
        )

    def say_what_to_do(batches: Sequence[str]) -> str:
        return "\n".join(refusal_in_words(platform, RATINGS_BUFFER, batch) for batch in batches)

    with checked_when_failing(context, platform):
        return each_batch(context, load, next_step=say_what_to_do)


all_batches = dg.AssetDep(ratings_buffer, partition_mapping=dg.AllPartitionMapping())
"""For assets that read the buffer whole."""

ratings_buffer_checks = build_checks(ratings_buffer, CHECKS, batch_id)
ratings_buffer_age = build_checks(ratings_buffer, WHOLE_CHECKS, name="age")
