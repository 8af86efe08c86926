"""``movie_genre_features``: ten numbers a movie in ``movies.pca_features``.

Here: the asset and its checks. Not here: the projection (``features.genres``).
"""

import dagster as dg

from cinematch_assets.dagster_support import pictures
from cinematch_assets.dagster_support.asset_checks import build_checks, checked_when_failing
from cinematch_assets.dagster_support.metadata import readable, table_metadata
from cinematch_assets.dagster_support.model_checks import explained_variance
from cinematch_assets.dagster_support.table_checks import pandera_schema
from cinematch_assets.defs.partitions import OWNERS
from cinematch_assets.defs.tables.movies import movies
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.movie_genre_features import MOVIE_GENRE_FEATURES

CHECKS = (pandera_schema(MOVIE_GENRE_FEATURES), explained_variance())


@dg.asset(
    group_name="features",
    kinds={"scikitlearn", "postgres"},
    owners=OWNERS,
    deps=[movies],
    code_version="genre-basis-1",
    metadata=table_metadata("public.movies", MOVIE_GENRE_FEATURES),
)
def movie_genre_features(
    context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]
) -> dg.MaterializeResult:
    """Each movie as a point in genre space, on a basis that stays once it was trained on; NULL without genres."""
    from cinematch_assets.pipeline.genre_features import project_movies

    with checked_when_failing(context, platform):
        projected = project_movies(platform)
    rows = len(projected.features.movie_ids)
    return dg.MaterializeResult(
        metadata={
            **readable(projected.as_metadata()),
            "variance_by_feature": pictures.explained_variance(projected.explained_by_feature),
            "dagster/row_count": rows,
        },
        data_version=dg.DataVersion(f"{projected.features.basis_version}-{rows}"),
    )


movie_genre_features_checks = build_checks(movie_genre_features, CHECKS)
