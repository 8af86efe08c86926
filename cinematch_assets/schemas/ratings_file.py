"""A file of ratings as it arrives, MovieLens' ``ratings.csv`` or a batch: four columns, others are ignored."""

from cinematch_assets.schemas.table import HALF_STEPS, NOT_MILLISECONDS, POSITIVE, RATING_RANGE, SECONDS, Column, Table

KNOWN_MOVIE = "in the table of movies"
"""The words of the rule that a rated movie is known; its values are in the table, so it is added while reading."""

RATINGS_FILE = Table(
    name="ratings file",
    description="Ratings as they arrive: one row per user and movie; of two, the newest counts.",
    key=("userId", "movieId"),
    columns=(
        Column("userId", "int32", "INTEGER", "User identifier", rules=(POSITIVE,)),
        Column("movieId", "int32", "INTEGER", "Movie identifier, as in the file of movies", rules=(POSITIVE,)),
        Column("rating", "float32", "FLOAT", "Rating, in stars", rules=(RATING_RANGE, HALF_STEPS)),
        Column(
            "timestamp", "int64", "BIGINT", "When it was given, seconds since 1970", rules=(NOT_MILLISECONDS, SECONDS)
        ),
    ),
)
