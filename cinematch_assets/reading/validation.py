"""Which rows of a block fit, and every reason why the others do not.

Here: Pandera's failure cases turned into reasons by row. Not here: the rules themselves, which are declared in
``schemas``; a reason is the name of a column and the words of the rule that it broke.
"""

import warnings

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from cinematch_assets.reading.cells import Cells, missing, parsed_frame
from cinematch_assets.schemas.models import NOT_A_NUMBER
from cinematch_assets.schemas.table import Table

Reasons = dict[int, list[str]]

MISSING = "is missing"


def fits(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> bool:
    """Whether every row satisfies the schema."""
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors:
        return False
    return True


def judge(table: Table, cells: Cells, schema: pa.DataFrameSchema) -> tuple[pd.DataFrame, Reasons]:
    """The rows that fit, in their final types, and for each other position the reasons in the order of the columns."""
    frame = parsed_frame(table, cells)
    unreadable = _no_numbers(table, cells, frame)
    reasons = _in_order(table, unreadable | _broken_rules(_failure_cases(frame, schema), unreadable))
    frame = frame[~frame.index.isin(list(reasons))]
    return frame.astype({column.name: column.dtype for column in table.columns if column.is_number}), reasons


def _failure_cases(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Pandera puts the cases of all columns together, which pandas 2 minds when one column's are all missing.
        warnings.filterwarnings("ignore", "The behavior of DataFrame concatenation", FutureWarning)
        try:
            schema.validate(frame, lazy=True)
        except SchemaErrors as error:
            cases: pd.DataFrame = error.failure_cases
            return cases
    return pd.DataFrame(columns=["index", "column", "check", "check_number"])


Broken = dict[tuple[int, str, int], str]
"""What is wrong, by position, column and the number of the check (-1: not a number at all)."""


def _no_numbers(table: Table, cells: Cells, frame: pd.DataFrame) -> Broken:
    """Cells that hold something, but no number, where one belongs: to the schema they look missing."""
    return {
        (int(position), column.name, -1): NOT_A_NUMBER
        for column in table.columns
        if column.is_number and frame[column.name].hasnans
        for position in cells.positions[frame[column.name].isna().to_numpy() & ~missing(cells.columns[column.name])]
    }


def _broken_rules(cases: pd.DataFrame, known: Broken) -> Broken:
    numbers = pd.to_numeric(cases["check_number"]).fillna(-1).astype(int)
    broken = {}
    for position, column, number, check in zip(
        cases["index"].tolist(), cases["column"].tolist(), numbers.tolist(), cases["check"].tolist(), strict=True
    ):
        if (position, column, number) not in known:
            broken[position, column, number] = MISSING if check == "not_nullable" else check
    return broken


def _in_order(table: Table, broken: Broken) -> Reasons:
    place = {name: number for number, name in enumerate(table.column_names)}
    reasons: Reasons = {}
    for position, column, number in sorted(broken, key=lambda at: (at[0], place[at[1]], at[2])):
        reasons.setdefault(position, []).append(f"{column} {broken[position, column, number]}")
    return reasons
