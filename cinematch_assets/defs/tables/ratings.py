"""``ratings``: the ratings that models are trained and tested on.

Here: the asset and its checks. Not here: parsing (``reading``), the split (``splitting``), SQL
(``sql/queries``), the shape of a row (``schemas.ratings``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import (
    referential_integrity,
    schema_check,
    split_check,
    storage_check,
)
from cinematch_assets.dagster_support.metadata import table_metadata
from cinematch_assets.defs.drive.raw_ratings import raw_ratings
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.pipeline.ingest.load_tables import load_ratings_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.ratings import RATINGS
from cinematch_assets.warehouse.inspection import count_orphans, count_rows, read_split_counts


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[raw_ratings, movies],
    metadata=table_metadata("public.ratings", RATINGS),
    check_specs=[
        dg.AssetCheckSpec("schema", asset="ratings", description="The columns are the declared ones."),
        dg.AssetCheckSpec("referential_integrity", asset="ratings", description="Every rating's movie is in movies."),
        dg.AssetCheckSpec("split_share", asset="ratings", description="70 % of the file's rows are train."),
        dg.AssetCheckSpec("storage_budget", asset="ratings", description="The warehouse is under 85 % of its budget."),
    ],
)
def ratings(platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """The rows of the ratings file, each with its ``data_split``; rows of merged batches stay in the table."""
    loaded = load_ratings_file(platform)
    with platform.warehouse.session() as session:
        rows = session.run(count_rows, "ratings")
        splits = session.run(read_split_counts)
        without_movie = session.run(count_orphans).ratings
    return dg.MaterializeResult(
        metadata={
            **loaded.as_metadata(),
            **{f"{split.name}_rows": split.rows for split in splits},
            "dagster/row_count": rows,
        },
        check_results=[
            schema_check(platform.warehouse, "public", RATINGS),
            referential_integrity(without_movie),
            split_check(splits),
            storage_check(platform.warehouse, platform.settings.storage_budget_mb),
        ],
    )
