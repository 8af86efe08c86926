"""``netflix_movies``: the movies of the collection, each matched to a movie of the catalogue.

Here: the asset and its checks. Not here: reading files (``reading.collection``), transactions (``warehouse.netflix``),
the rules of matching (``matching``), the shape of a row (``schemas.netflix_movies``).
"""

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.metadata import messages, table_metadata
from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.dagster_support.table_checks import (
    each_movie_once,
    pandera_schema,
    rejected_rows,
    structure,
)
from cinematch_assets.defs.drive.raw_netflix_collection import raw_netflix_collection
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.netflix_movies import NETFLIX_MOVIES

CHECKS = (
    pandera_schema(NETFLIX_MOVIES, "netflix"),
    structure(NETFLIX_MOVIES, "netflix"),
    rejected_rows(NETFLIX_MOVIES),
    each_movie_once(),
)


@dg.asset(
    group_name="tables",
    kinds={"postgres", "table"},
    owners=OWNERS,
    deps=[raw_netflix_collection, movies],
    metadata=table_metadata("netflix.movies", NETFLIX_MOVIES),
)
def netflix_movies(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
    """The movies of all fetched files, loaded together with the ledger; then each title's movie in `movies`."""
    from cinematch_assets.pipeline.ingest.netflix_collection import load_fetched
    from cinematch_assets.pipeline.ingest.netflix_matches import match_titles
    from cinematch_assets.warehouse.collection_ledger import read_problem_files
    from cinematch_assets.warehouse.status import count_collection_states

    with checked_when_failing(context, platform):
        loaded = load_fetched(platform)
        matched = match_titles(platform)
    with platform.warehouse.session() as session:
        states = session.run(count_collection_states)
        problems = session.run(read_problem_files)
    report_row_counts(platform, context.instance, "netflix_movies")
    return dg.MaterializeResult(
        metadata={
            "inserted": loaded.inserted,
            "updated": loaded.updated,
            "deleted": loaded.deleted,
            "files_of_this_run": loaded.loaded + loaded.quarantined + loaded.failed,
            **{f"files_{state}": files for state, files in states.items()},
            **matched.as_metadata(),
            "ambiguous": messages(matched.ambiguous_titles()),
            "problem_files": messages([f"{file.path}: {file.last_error}" for file in problems]),
        }
    )


netflix_movies_checks = build_checks(netflix_movies, CHECKS)
