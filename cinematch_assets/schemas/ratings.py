"""Table ``ratings``: what models are trained and tested on."""

from cinematch_assets.schemas.table import BATCH_ID, HALF_STEPS, RATING_RANGE, SECONDS, Column, Table, one_of

RATINGS = Table(
    name="ratings",
    description="Training and test ratings; data_split says which.",
    key=("userId", "movieId"),
    columns=(
        Column("userId", "int32", "INTEGER", "User identifier from MovieLens dataset"),
        Column("movieId", "int32", "INTEGER", "Movie identifier from MovieLens dataset"),
        Column("rating", "float64", "FLOAT", "Star rating (0.5 increments)", rules=(RATING_RANGE, HALF_STEPS)),
        Column("timestamp", "int64", "BIGINT", "Unix timestamp when rating was created", rules=(SECONDS,)),
        Column(
            "data_split",
            "str",
            "VARCHAR(10)",
            "Dataset split for training vs validation, by a hash of user and movie",
            rules=(one_of("train", "test"),),
        ),
        Column("loaded_at", "datetime64[us]", "TIMESTAMP", "When the row was loaded", nullable=True),
        Column(
            "batch_id",
            "str",
            "VARCHAR(50)",
            "The batch in which a merged row arrived; NULL for rows of ratings.*",
            nullable=True,
            rules=(BATCH_ID,),
        ),
    ),
)
