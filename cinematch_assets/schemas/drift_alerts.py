"""Table ``drift_alerts``: one row per batch and statistic."""

from cinematch_assets.schemas.table import BATCH_ID, Column, Table, at_most

DRIFT_ALERTS = Table(
    name="drift_alerts",
    description="What each batch's drift statistics were, against which threshold.",
    key=("id",),
    columns=(
        Column("id", "int32", "SERIAL", "Auto-incrementing ID", unique=True),
        Column("alert_date", "datetime64[us]", "TIMESTAMP", "When drift check was performed", nullable=True),
        Column(
            "feature_name",
            "str",
            "VARCHAR(100)",
            "Statistic tested: rating_mean, rating_std, rating_distribution_ks, model_rmse, model_mae",
            nullable=True,
            rules=(at_most(100),),
        ),
        Column("drift_score", "float64", "FLOAT", "Calculated drift metric value", nullable=True),
        Column("threshold", "float64", "FLOAT", "Threshold for triggering alert", nullable=True),
        Column("alert_triggered", "boolean", "BOOLEAN", "TRUE if drift_score exceeds threshold", nullable=True),
        Column("notes", "str", "TEXT", "Additional context (baseline vs new values, p-values)", nullable=True),
        Column("batch_id", "str", "VARCHAR(50)", "The batch that was compared", nullable=True, rules=(BATCH_ID,)),
        Column("baseline_rows", "Int32", "INTEGER", "Ratings in the baseline", nullable=True),
        Column("batch_rows", "Int32", "INTEGER", "Ratings in the batch", nullable=True),
    ),
)
