"""What ``movie_genre_features`` writes: ten numbers per movie, into ``movies.pca_features``."""

from cinematch_assets.schemas.table import Column, Rule, Table

TEN_NUMBERS = Rule(
    "str_matches", (r"^\[(?:-?[0-9.]+(?:[eE][+-]?[0-9]+)?(?:, |(?=\]))){10}\]$",), "a list of ten numbers"
)

MOVIE_GENRE_FEATURES = Table(
    name="movies",
    description="Each movie's genre features.",
    key=("movieId",),
    columns=(
        Column("movieId", "int32", "INTEGER", "Unique movie identifier", unique=True),
        Column(
            "pca_features",
            "object",
            "JSONB",
            "Ten PCA components of the genres on the stored basis; NULL for a movie without genres",
            nullable=True,
            rules=(TEN_NUMBERS,),
        ),
    ),
)
