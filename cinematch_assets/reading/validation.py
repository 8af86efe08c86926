"""Validate the rows of a block, and collect every reason why a row is invalid.

Here: Pandera's failure cases as reasons by row; a reason is the name of a column and the words of the rule it broke.
Not here: the rules (``schemas``).
"""

import warnings

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from cinematch_assets.reading.cells import Cells, is_missing, parse_cells
from cinematch_assets.schemas.table import MISSING, NOT_A_NUMBER, Table

Reasons = dict[int, list[str]]


def is_valid(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> bool:
    """Return whether every row satisfies the schema."""
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors:
        return False
    return True


def validate_cells(table: Table, cells: Cells, schema: pa.DataFrameSchema) -> tuple[pd.DataFrame, Reasons]:
    """Return the valid rows in their final types, and the reasons of the others by position, in column order."""
    frame = parse_cells(table, cells)
    not_numbers = _not_numbers(table, cells, frame)
    reasons = _reasons(table, not_numbers | _broken_rules(_failure_cases(frame, schema), not_numbers))
    frame = frame[~frame.index.isin(list(reasons))]
    return frame.astype({column.name: column.dtype for column in table.columns if column.is_number}), reasons


def find_invalid_rows(table: Table, frame: pd.DataFrame, schema: pa.DataFrameSchema) -> Reasons:
    """Return the reasons of the rows that do not satisfy the schema, by position, in column order.

    Args:
        table: the declaration that the schema was built from.
        frame: rows in their final types.
        schema: as ``typed_schema`` builds it.
    """
    cases = _failure_cases(frame.reset_index(drop=True), schema)
    # A column's type is not the row's fault: NULL where none is allowed makes integers floats.
    of_rows = cases[cases["index"].notna() & ~cases["check"].astype(str).str.startswith("dtype(")]
    return _reasons(table, _broken_rules(of_rows, {}))


def _failure_cases(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Pandera concatenates the cases of all columns; pandas 2 warns when those of one column are all missing.
        warnings.filterwarnings("ignore", "The behavior of DataFrame concatenation", FutureWarning)
        try:
            schema.validate(frame, lazy=True)
        except SchemaErrors as error:
            cases: pd.DataFrame = error.failure_cases
            return cases
    return pd.DataFrame(columns=["index", "column", "check", "check_number"])


Broken = dict[tuple[int, str, int], str]
"""Words of the broken rule by position, column and number of the check (-1: not a number)."""


def _not_numbers(table: Table, cells: Cells, frame: pd.DataFrame) -> Broken:
    """Return cells of numeric columns that hold something other than a number: to the schema they look missing."""
    return {
        (int(position), column.name, -1): NOT_A_NUMBER
        for column in table.columns
        if column.is_number and frame[column.name].hasnans
        for position in cells.positions[frame[column.name].isna().to_numpy() & ~is_missing(cells.columns[column.name])]
    }


def _broken_rules(cases: pd.DataFrame, known: Broken) -> Broken:
    numbers = pd.to_numeric(cases["check_number"]).fillna(-1).astype(int)
    broken = {}
    for position, column, number, check in zip(
        cases["index"].astype(int).tolist(),
        cases["column"].tolist(),
        numbers.tolist(),
        cases["check"].tolist(),
        strict=True,
    ):
        if (position, column, number) not in known:
            broken[position, column, number] = MISSING if check == "not_nullable" else check
    return broken


def _reasons(table: Table, broken: Broken) -> Reasons:
    order = {name: number for number, name in enumerate(table.column_names)}
    reasons: Reasons = {}
    for position, column, number in sorted(broken, key=lambda rule: (rule[0], order[rule[1]], rule[2])):
        reasons.setdefault(position, []).append(f"{column} {broken[position, column, number]}")
    return reasons
