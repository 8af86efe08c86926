"""``movies``: the catalogue.

Here: the asset and its checks. Not here: parsing (``reading``), SQL (``sql/queries``), the shape of a
row (``schemas.movies``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.failure_cause import with_next_step
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.dagster_support.table_checks import (
    pandera_schema,
    refusal_in_words,
    rejected_metadata,
    rejected_rows,
    structure,
)
from cinematch_assets.defs.drive.raw_movies import raw_movies
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.movies import MOVIES

CHECKS = (pandera_schema(MOVIES), structure(MOVIES), rejected_rows(MOVIES))


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[raw_movies],
    metadata=table_metadata("public.movies", MOVIES),
)
def movies(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Every movie, upserted; movies that are no longer in the file stay, and are counted."""
    from cinematch_assets.pipeline.ingest.load_tables import load_movies_file
    from cinematch_assets.warehouse.inspection import count_rows

    refused = with_next_step(lambda: refusal_in_words(platform, MOVIES))
    with checked_when_failing(context, platform), refused:
        loaded = load_movies_file(platform)
    rows = platform.warehouse.run(count_rows, "movies")
    report_row_counts(platform, context.instance, "movies")
    return dg.MaterializeResult(
        metadata={**rejected_metadata(platform, MOVIES), **loaded.as_metadata()},
        data_version=dg.DataVersion(f"{loaded.file.md5}-{rows}"),  # movies that left the file stay in the table
    )


movies_checks = build_checks(movies, CHECKS)
