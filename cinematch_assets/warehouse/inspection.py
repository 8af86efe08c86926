"""What is in the tables and how they are declared, for checks and ``status``.

Here: counts and catalogue facts. Not here: the rows themselves.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from cinematch_assets.schemas.table import Table
from cinematch_assets.warehouse.statements import scalar, single_row, statement


@dataclass(frozen=True, slots=True)
class SplitCount:
    """One split of the ratings file: rows, mean and sample deviation in stars."""

    name: str
    rows: int
    mean: float
    std: float | None


@dataclass(frozen=True, slots=True)
class Orphans:
    """Ratings whose movie is not in the catalogue."""

    ratings: int
    buffer: int


def count_rows(connection: psycopg.Connection, *table: str) -> int:
    """Count a table's rows; ``row_count(connection, "netflix", "movies")`` names its schema."""
    ((rows,),) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table))).fetchall()
    return int(rows)


def read_split_counts(connection: psycopg.Connection) -> list[SplitCount]:
    """Return the splits of the ratings file, merged batches left out."""
    return [SplitCount(*row) for row in connection.execute(statement("ratings/select_split_counts")).fetchall()]


def read_ratings_version(connection: psycopg.Connection) -> str:
    """Return a hash of the contents that table ``ratings`` holds: the file, and the merged batches."""
    return str(scalar(connection, "ratings/select_content_version"))


def count_orphans(connection: psycopg.Connection, batch_id: str | None = None) -> Orphans:
    """Count ratings of movies that are not in the catalogue, in all rows or in those of one batch."""
    return Orphans(*single_row(connection, "ratings/count_orphans", batch_id=batch_id))


def column_differences(connection: psycopg.Connection, schema: str, table: Table) -> list[str]:
    """Return a message for each column in the database that differs from the declared one."""
    values = {"schema": schema, "table": table.name.rpartition(".")[2]}
    rows = connection.execute(statement("maintenance/select_columns"), values).fetchall()
    found: dict[str, str] = dict(rows)
    differences = []
    for column in table.columns:
        declared = column.sql.split("(")[0]
        kind = found.get(column.name.lower())
        if kind is None:
            differences.append(f"{table.name}.{column.name} is missing")
        elif kind != _CATALOGUE_NAMES.get(declared, declared.lower()):
            differences.append(f"{table.name}.{column.name} is {kind} and not {column.sql}")
    return differences


_CATALOGUE_NAMES = {
    "FLOAT": "double precision",
    "VARCHAR": "character varying",
    "TIMESTAMP": "timestamp without time zone",
    "SERIAL": "integer",
    "DECIMAL": "numeric",
    "INTEGER[]": "ARRAY",
}
