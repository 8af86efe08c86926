"""Build Pandera schemas from declarations; they alone decide which rows are valid.

Here: ``typed_schema`` for frames whose columns have their final types, ``parsed_schema`` for cells of a file as parsed:
the same checks, on numbers that may still have fractions. Not here: the declarations (``table``), what happens to
invalid rows (``reading.validation``). Importing this imports pandera, so only code that checks rows does it.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray

from cinematch_assets.schemas.table import NOT_AN_INTEGER, Column, Rule, Table


def _in_steps_of(step: float) -> Callable[["pd.Series[float]"], "pd.Series[bool]"]:
    return lambda values: (values / step) % 1 == 0


def _not_milliseconds() -> Callable[["pd.Series[float]"], "pd.Series[bool]"]:
    """Reject times of the years 1973 to 5138 in milliseconds; as seconds they would be thousands of years away."""
    return lambda values: ~values.between(1e11, 1e14)


def _among(values: NDArray[np.int32]) -> Callable[["pd.Series[float]"], "pd.Series[bool]"]:
    return lambda ids: pd.Series(np.isin(ids.to_numpy(), values), index=ids.index)


OWN_CHECKS: dict[str, Callable[..., Callable[["pd.Series[float]"], "pd.Series[bool]"]]] = {
    "in_steps_of": _in_steps_of,
    "not_milliseconds": _not_milliseconds,
    "among": _among,
}


def _check(rule: Rule) -> pa.Check:
    if rule.check in OWN_CHECKS:
        return pa.Check(OWN_CHECKS[rule.check](*rule.arguments), error=rule.reason)
    return getattr(pa.Check, rule.check)(*rule.arguments, error=rule.reason)


def _typed(column: Column, *, unique: bool) -> pa.Column:
    checks = [_check(rule) for rule in column.rules]
    return pa.Column(column.dtype, checks, nullable=column.nullable, unique=unique, description=column.description)


def _parsed(column: Column) -> pa.Column:
    checks = [_check(rule) for rule in column.rules]
    if column.is_integer:
        checks.insert(0, pa.Check(_in_steps_of(1), error=NOT_AN_INTEGER))
    dtype = "float64" if column.is_number else "str"
    return pa.Column(dtype, checks, nullable=column.nullable, description=column.description)


def typed_schema(table: Table, *, is_complete: bool = True) -> pa.DataFrameSchema:
    """Return the schema of a frame of ``table``, types included; other columns are a fault.

    ``is_complete`` tells whether the frame is all of the table: only then are unique columns checked to be unique.
    """
    return pa.DataFrameSchema(
        {column.name: _typed(column, unique=is_complete and column.unique) for column in table.columns},
        name=table.name,
        description=table.description,
        strict=True,
    )


def parsed_schema(table: Table) -> pa.DataFrameSchema:
    """Return the schema of cells as parsed: numbers (float64, NaN where the text is not a number) and texts."""
    return pa.DataFrameSchema(
        {column.name: _parsed(column) for column in table.columns},
        name=table.name,
        description=table.description,
        strict=True,
    )
