"""Table ``movies``: the catalogue, with each movie's genre features."""

from cinematch_assets.schemas.table import NOT_EMPTY, Column, Table, at_most

MOVIES = Table(
    name="movies",
    description="Movie titles and genres, and the features made of the genres.",
    key=("movieId",),
    columns=(
        Column("movieId", "int32", "INTEGER", "Unique movie identifier", unique=True),
        Column(
            "title",
            "str",
            "VARCHAR(500)",
            'Movie title with year (e.g., "Toy Story (1995)")',
            rules=(NOT_EMPTY, at_most(500)),
        ),
        Column(
            "genres",
            "str",
            "VARCHAR(200)",
            'Pipe-separated genres (e.g., "Action|Adventure|Sci-Fi")',
            nullable=True,
            rules=(at_most(200),),
        ),
        Column(
            "pca_features",
            "object",
            "JSONB",
            "PCA-reduced genre embeddings (10 dimensions); NULL without genres",
            nullable=True,
        ),
    ),
)
