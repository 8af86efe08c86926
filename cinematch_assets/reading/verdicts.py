"""Which rows of a block fit, and every reason why the others do not.

Here: Pandera's failure cases turned into reasons by row. Not here: the rules themselves, which are declared in
``schemas``; a reason is the name of a column and the words of the rule that it broke.
"""

from collections import defaultdict

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
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        reasons = _reasons(table, cells, error.failure_cases)
        frame = frame[~frame.index.isin(list(reasons))]
    else:
        reasons = {}
    return frame.astype({column.name: column.dtype for column in table.columns if column.is_number}), reasons


def _reasons(table: Table, cells: Cells, cases: pd.DataFrame) -> Reasons:
    order = {name: place for place, name in enumerate(table.column_names)}
    cases = cases.assign(place=cases["column"].map(order)).sort_values(["place", "check_number"], na_position="first")
    empty = {name: set(cells.positions[missing(cells.columns[name])].tolist()) for name in table.column_names}
    reasons: Reasons = defaultdict(list)
    for position, column, check in zip(
        cases["index"].tolist(), cases["column"].tolist(), cases["check"].tolist(), strict=True
    ):
        absent = MISSING if position in empty[column] else NOT_A_NUMBER
        reasons[position].append(f"{column} {absent if check == 'not_nullable' else check}")
    return reasons
