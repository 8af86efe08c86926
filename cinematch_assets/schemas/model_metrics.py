"""Table ``model_metrics``: one row per trained model."""

from cinematch_assets.schemas.table import NOT_EMPTY, Column, Table, at_most

MODEL_METRICS = Table(
    name="model_metrics",
    description="How well each model version predicts the test split.",
    key=("id",),
    columns=(
        Column("id", "int32", "SERIAL", "Auto-incrementing ID", unique=True),
        Column(
            "model_version",
            "str",
            "VARCHAR(50)",
            "Model identifier: run_<first 8 of the Dagster run id>_v<n>",
            rules=(NOT_EMPTY, at_most(50)),
        ),
        Column("training_date", "datetime64[us]", "TIMESTAMP", "When model was trained", nullable=True),
        Column("rmse", "float64", "FLOAT", "Root Mean Squared Error", nullable=True),
        Column("mae", "float64", "FLOAT", "Mean Absolute Error", nullable=True),
        Column("precision_at_10", "float64", "FLOAT", "Precision at K=10 for recommendations", nullable=True),
        Column("data_size", "Int32", "INTEGER", "Number of ratings used for training", nullable=True),
        Column("notes", "str", "TEXT", "Training configuration, hyperparameters", nullable=True),
    ),
)
