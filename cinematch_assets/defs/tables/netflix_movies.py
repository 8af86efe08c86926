"""``netflix_movies``: the movies of the collection, and the movie of the catalogue that each is.

Here: the asset and the checks that certify it. Not here: reading files (``reading.collection``), transactions
(``steps.collecting``), the rules of matching (``matching``), the shape of a row (``schemas.netflix_movies``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import each_movie_once, schema_check
from cinematch_assets.dagster_support.metadata import rounded, sentences, table_metadata
from cinematch_assets.defs.drive.raw_netflix_collection import raw_netflix_collection
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.pipeline.ingest.netflix_collection import load_fetched
from cinematch_assets.pipeline.ingest.netflix_matches import match_titles
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.netflix_movies import NETFLIX_MOVIES
from cinematch_assets.warehouse.collection_ledger import read_problem_files
from cinematch_assets.warehouse.inspection import row_count
from cinematch_assets.warehouse.netflix import collection_duplicates
from cinematch_assets.warehouse.status import collection_states


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[raw_netflix_collection, movies],
    metadata=table_metadata("netflix.movies", NETFLIX_MOVIES),
    check_specs=[
        dg.AssetCheckSpec("schema", asset="netflix_movies", description="The columns are the declared ones."),
        dg.AssetCheckSpec(
            "each_movie_once", asset="netflix_movies", description="No title, genre, rating and year come twice."
        ),
    ],
)
def netflix_movies(platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """Fetched files as rows, each file with its ledger in one transaction; then each title's movie in ``movies``."""
    loaded = load_fetched(platform)
    matched = match_titles(platform)
    with platform.warehouse.connect() as connection:
        rows = row_count(connection, "netflix", "movies")
        states = collection_states(connection)
        bad = read_problem_files(connection)
        checks = [
            schema_check(connection, "netflix", NETFLIX_MOVIES),
            each_movie_once(collection_duplicates(connection)),
        ]
    several = matched.ambiguous[["title", "year", "movieIds"]].itertuples(index=False, name=None)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "inserted": loaded.inserted,
            "updated": loaded.updated,
            "deleted": loaded.deleted,
            "files_of_this_run": loaded.loaded + loaded.quarantined + loaded.failed,
            **{f"files_{state}": files for state, files in states.items()},
            "titles_matched": matched.matched,
            "titles_ambiguous": len(matched.ambiguous),
            "titles_unmatched": matched.unmatched,
            **rounded({"share_matched": matched.share}),
            "ambiguous": sentences([f"{title}, {year}: {', '.join(map(str, ids))}" for title, year, ids in several]),
            "files_to_look_at": sentences([f"{file.path}: {file.last_error}" for file in bad]),
        },
        check_results=checks,
    )
