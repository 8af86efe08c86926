"""What an asset's page in the UI says of its table.

Here: column schemas from the declarations, counts in Dagster's own metadata keys. Not here: the declarations.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from cinematch_assets.schemas.table import Table
from cinematch_assets.warehouse.landed_files import Counts

SENTENCES = 20


def column_schema(table: Table) -> dg.TableSchema:
    """A table's columns with their SQL types, meanings and rules, as declared in ``schemas``."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.sql,
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=column.unique, other=list(column.constraints)
                ),
            )
            for column in table.columns
        ]
    )


def table_metadata(name: str, table: Table) -> dict[str, Any]:
    """The static metadata of an asset that is a table: where it is, and its columns."""
    return {"dagster/table_name": name, "dagster/column_schema": column_schema(table)}


def count_metadata(counts: Counts) -> dict[str, int]:
    """The three numbers of a file: read = accepted + rejected."""
    return {"rows_read": counts.read, "rows_accepted": counts.accepted, "rows_rejected": counts.rejected}


def sentences(all_of_them: Sequence[str]) -> dg.MetadataValue:
    """Sentences for people, the first so many: metadata is to stay small."""
    shown = list(all_of_them[:SENTENCES])
    rest = len(all_of_them) - len(shown)
    return dg.MetadataValue.json([*shown, f"and {rest:,} more"] if rest else shown)


def rounded(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers for people: floats to five digits; what is no number (NaN breaks the UI) is left out."""
    return {
        name: round(value, 5) if isinstance(value, float) else value
        for name, value in numbers.items()
        if isinstance(value, int | float | str) and value == value  # noqa: PLR0124 - NaN is not itself
    }
