"""Table ``ingestion_metadata``: one row per batch, from its arrival to its end."""

from cinematch_assets.schemas.table import BATCH_ID, Column, Table, one_of

INGESTION_METADATA = Table(
    name="ingestion_metadata",
    description="The record of every batch: when, how many rows, how it went.",
    key=("batch_id",),
    columns=(
        Column("id", "int32", "SERIAL", "Auto-incrementing ID", unique=True),
        Column("batch_id", "str", "VARCHAR(50)", "Batch identifier (e.g., 'batch_w1')", unique=True, rules=(BATCH_ID,)),
        Column("ingestion_date", "datetime64[us]", "TIMESTAMP", "When ingestion completed", nullable=True),
        Column("record_count", "Int32", "INTEGER", "Number of records ingested", nullable=True),
        Column(
            "status",
            "str",
            "VARCHAR(20)",
            "'completed', 'failed', 'in_progress'",
            nullable=True,
            rules=(one_of("completed", "failed", "in_progress"),),
        ),
        Column("notes", "str", "TEXT", "Additional information or error messages", nullable=True),
    ),
)
