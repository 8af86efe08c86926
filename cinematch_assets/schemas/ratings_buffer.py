"""Table ``ratings_buffer``: batches that have arrived and are not merged yet."""

from cinematch_assets.schemas.table import BATCH_ID, HALF_STEPS, RATING_RANGE, SECONDS, Column, Table

RATINGS_BUFFER = Table(
    name="ratings_buffer",
    description="New ratings by batch, until a promoted model was trained on them.",
    key=("batch_id", "userId", "movieId"),
    columns=(
        Column("userId", "int32", "INTEGER", "User identifier"),
        Column("movieId", "int32", "INTEGER", "Movie identifier"),
        Column("rating", "float64", "FLOAT", "Star rating", rules=(RATING_RANGE, HALF_STEPS)),
        Column("timestamp", "int64", "BIGINT", "Original rating timestamp", rules=(SECONDS,)),
        Column(
            "batch_id",
            "str",
            "VARCHAR(50)",
            "Batch identifier (e.g., 'batch_w1')",
            nullable=True,
            rules=(BATCH_ID,),
        ),
        Column("ingested_at", "datetime64[us]", "TIMESTAMP", "When the row was loaded", nullable=True),
    ),
)
