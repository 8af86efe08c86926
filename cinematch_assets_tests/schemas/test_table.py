import importlib
import pkgutil
import subprocess
import sys

import pytest

import cinematch_assets.schemas as package
from cinematch_assets.schemas.pandera_schema import typed_schema
from cinematch_assets.schemas.table import Table

MODULES = [m.name for m in pkgutil.iter_modules(package.__path__) if m.name not in {"table", "pandera_schema"}]
TABLES = [
    value
    for name in MODULES
    for value in vars(importlib.import_module(f"{package.__name__}.{name}")).values()
    if isinstance(value, Table)
]

# The columns of the seeds' CREATE TABLE statements, then those that the platform adds.
SEED = {
    "ratings": "userId INTEGER, movieId INTEGER, rating FLOAT, timestamp BIGINT, data_split VARCHAR(10),"
    " loaded_at TIMESTAMP NULL, batch_id VARCHAR(50) NULL",
    "ratings_buffer": "userId INTEGER, movieId INTEGER, rating FLOAT, timestamp BIGINT, batch_id VARCHAR(50) NULL,"
    " ingested_at TIMESTAMP NULL",
    "ingestion_metadata": "id SERIAL, batch_id VARCHAR(50), ingestion_date TIMESTAMP NULL, record_count INTEGER NULL,"
    " status VARCHAR(20) NULL, notes TEXT NULL",
    "model_metrics": "id SERIAL, model_version VARCHAR(50), training_date TIMESTAMP NULL, rmse FLOAT NULL,"
    " mae FLOAT NULL, precision_at_10 FLOAT NULL, data_size INTEGER NULL, notes TEXT NULL",
    "drift_alerts": "id SERIAL, alert_date TIMESTAMP NULL, feature_name VARCHAR(100) NULL, drift_score FLOAT NULL,"
    " threshold FLOAT NULL, alert_triggered BOOLEAN NULL, notes TEXT NULL, batch_id VARCHAR(50) NULL,"
    " baseline_rows INTEGER NULL, batch_rows INTEGER NULL",
    "netflix.movies": "id UUID, title VARCHAR(255), genre VARCHAR(100), rating DECIMAL(3,1) NULL, year INTEGER NULL,"
    " created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL",
}


def as_sql(table: Table) -> str:
    return ", ".join(f"{c.name} {c.sql}{' NULL' if c.nullable else ''}" for c in table.columns)


@pytest.mark.parametrize(("name", "columns"), SEED.items())
def test_a_table_has_the_columns_of_the_seed(name, columns):
    assert [as_sql(table) for table in TABLES if table.name == name] == [columns]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.description)
def test_every_column_is_described_and_every_table_makes_a_pandera_schema(table):
    schema = typed_schema(table)
    assert set(table.key) <= set(table.column_names)
    for column in table.columns:
        assert column.description
        assert schema.columns[column.name].description == column.description
        assert len(schema.columns[column.name].checks) == len(column.rules) == len(column.constraints)


def test_declarations_import_nothing_heavy():
    # The definitions show every table's columns and may cost 1.3 times what Dagster costs.
    code = "; ".join(f"import {package.__name__}.{name}" for name in MODULES)
    code += "; import sys; print([m for m in ('numpy', 'pandas', 'pandera', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
