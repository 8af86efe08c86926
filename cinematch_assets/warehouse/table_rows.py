"""The rows that a table holds, in blocks, to certify them against their declaration.

Here: the query that follows from a declaration, and frames in the declared types. Not here: which rows are valid
(``reading.validation``), how a block is fetched (``copy``).
"""

from collections.abc import Iterator

import pandas as pd
from psycopg import sql

from cinematch_assets.schemas.table import Column, Table
from cinematch_assets.warehouse.copy import stream_frames

_AS_TEXT = {"UUID", "JSONB"}


def read_table_blocks(url: str, schema: str, table: Table, batch_id: str | None = None) -> Iterator[pd.DataFrame]:
    """Yield all rows of a table, or those of one batch, in blocks of a bounded size and with the declared types.

    A column that cannot have its declared type, because it holds NULL and must not, keeps the type that it has.
    """
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(_expression, table.columns)), sql.Identifier(schema, table.name.rpartition(".")[2])
    )
    if batch_id is not None:  # a bulk read takes no parameters, so psycopg writes the value as a literal
        query += sql.SQL(" WHERE batch_id = {}").format(sql.Literal(batch_id))
    for frame in stream_frames(url, query.as_string(None), table.column_names):
        yield frame.assign(**{column.name: _typed(frame[column.name], column) for column in table.columns})


def _expression(column: Column) -> sql.Composable:
    name = sql.Identifier(column.name.lower())
    if column.sql in _AS_TEXT:
        return sql.SQL("{}::text").format(name)
    return sql.SQL("{}::float8").format(name) if column.sql.startswith("DECIMAL") else name


def _typed(values: pd.Series, column: Column) -> pd.Series:
    holds_null = values.isna().any()
    if column.dtype in {"Int32", "boolean"} or (column.dtype not in {"str", "object"} and not holds_null):
        return values.astype(column.dtype)
    return values
