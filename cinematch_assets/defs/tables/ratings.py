"""``ratings``: the ratings that models are trained and tested on.

Here: the asset and its checks. Not here: parsing (``reading``), the split (``splitting``), SQL
(``sql/queries``), the shape of a row (``schemas.ratings``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.failure_cause import with_next_step
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.dagster_support.table_checks import (
    pandera_schema,
    referential_integrity,
    refusal_in_words,
    rejected_metadata,
    rejected_rows,
    split_share,
    storage_budget,
    structure,
)
from cinematch_assets.defs.drive.raw_ratings import raw_ratings
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.ratings import RATINGS

CHECKS = (
    pandera_schema(RATINGS),
    structure(RATINGS),
    rejected_rows(RATINGS),
    referential_integrity(RATINGS),
    split_share(),
    storage_budget(),
)


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[raw_ratings, movies],
    metadata=table_metadata("public.ratings", RATINGS),
)
def ratings(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """The rows of the ratings file, each with its `data_split`; rows of merged batches stay in the table."""
    from cinematch_assets.pipeline.ingest.load_tables import load_ratings_file
    from cinematch_assets.warehouse.inspection import read_ratings_version, read_split_counts

    refused = with_next_step(lambda: refusal_in_words(platform, RATINGS))
    with checked_when_failing(context, platform), refused:
        loaded = load_ratings_file(platform)
    with platform.warehouse.session() as session:
        splits = session.run(read_split_counts)
        content = session.run(read_ratings_version)
    report_row_counts(platform, context.instance, "ratings")
    return dg.MaterializeResult(
        metadata={
            **rejected_metadata(platform, RATINGS),
            **loaded.as_metadata(),
            **{f"{split.name}_rows": split.rows for split in splits},
        },
        data_version=dg.DataVersion(content),
    )


ratings_checks = build_checks(ratings, CHECKS)
