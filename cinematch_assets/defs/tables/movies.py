"""``movies``: the catalogue.

Here: the asset and the check that certifies it. Not here: parsing (``reading``), SQL (``sql/queries``), the shape of a
row (``schemas.movies``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import schema_check
from cinematch_assets.dagster_support.metadata import count_metadata, table_metadata
from cinematch_assets.defs.drive.raw_movies import raw_movies
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.pipeline.ingest.load_tables import load_movies_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.movies import MOVIES
from cinematch_assets.warehouse.inspection import row_count


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[raw_movies],
    metadata=table_metadata("public.movies", MOVIES),
    check_specs=[dg.AssetCheckSpec("schema", asset="movies", description="The columns are the declared ones.")],
)
def movies(platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Every movie, upserted; rows that the file no longer has stay, and are counted."""
    loaded = load_movies_file(platform)
    with platform.warehouse.connect() as connection:
        rows = row_count(connection, "movies")
        check = schema_check(connection, "public", MOVIES)
    changes: dict[str, int] = {"unchanged": loaded.load is None}
    if loaded.load:
        changes |= {"inserted": loaded.load.inserted, "updated": loaded.load.updated, "kept": loaded.load.kept}
    return dg.MaterializeResult(
        metadata={**count_metadata(loaded.counts), **changes, "dagster/row_count": rows}, check_results=[check]
    )
