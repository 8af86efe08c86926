"""Types to declare a table's shape: columns, their types, their rules, their meaning.

Here: frozen dataclasses with light imports only. Not here: validating rows by a Pandera schema made from a declaration
(``pandera_schema``).

Why declarations and not ``DataFrameModel`` classes: Dagster's definitions show every table's columns and so import
every declaration, while importing pandera takes 0.5 s on top of the 0.55 s of ``import dagster``, and the definitions
may take 1.3 times that. The declaration is the only source; the Pandera schema is derived when rows are checked.
"""

from dataclasses import dataclass, replace
from typing import Literal

from cinematch_assets.table_names import BATCH_ID_PATTERN, BATCH_ID_RULE

Dtype = Literal["int32", "int64", "float32", "float64", "str", "bool", "Int32", "boolean", "datetime64[us]", "object"]

INT32_MAX = 2**31 - 1
MISSING = "is missing"
NOT_A_NUMBER = "is not a number"
NOT_AN_INTEGER = "is not a whole number"


@dataclass(frozen=True, slots=True)
class Rule:
    """One check on the values of a column.

    ``check`` names a built-in of ``pandera.Check`` or one of ``pandera_schema.OWN_CHECKS``; ``arguments`` go to it in
    order. ``words`` complete "the value is …" for docs and UI; ``fault`` completes "the value …" in the reason that a
    rejected row gets, and is "is not <words>" unless given.
    """

    check: str
    arguments: tuple[object, ...]
    words: str
    fault: str = ""

    @property
    def reason(self) -> str:
        """Why a value is invalid, to be read after the column's name."""
        return self.fault or f"is not {self.words}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in files, pandas dtype, Postgres type, meaning and rules."""

    name: str
    dtype: Dtype
    sql: str
    description: str
    nullable: bool = False
    unique: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self.dtype in {"int32", "int64", "float32", "float64", "Int32"}

    @property
    def is_integer(self) -> bool:
        """Whether the column holds integers only."""
        return self.dtype in {"int32", "int64", "Int32"}

    @property
    def constraints(self) -> tuple[str, ...]:
        """The rules in words, as the UI and the docs list them; nullable and unique are listed separately."""
        return tuple(rule.words for rule in self.rules)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why a value can be invalid: each to be read after the column's name."""
        return (*(() if self.nullable else (MISSING,)), *(rule.reason for rule in self.rules))

    @property
    def cell_reasons(self) -> tuple[str, ...]:
        """Why a cell of a file can be invalid: the value, or text that is no value of the column."""
        integer = (NOT_AN_INTEGER,) if self.is_integer else ()
        return (*self.reasons, *((NOT_A_NUMBER, *integer) if self.is_number else ()))


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a file: its name, purpose, columns, and the columns that identify a row."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the order of declaration."""
        return tuple(column.name for column in self.columns)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason for which a row of the table can be invalid."""
        return tuple(f"{column.name} {reason}" for column in self.columns for reason in column.reasons)

    @property
    def cell_reasons(self) -> tuple[str, ...]:
        """Every reason for which the cells of a file's row can be invalid."""
        return tuple(f"{column.name} {reason}" for column in self.columns for reason in column.cell_reasons)

    @property
    def replaced_reason(self) -> str:
        """Why a row is rejected that a later row of the same key replaces."""
        return f"{' and '.join(self.key)} also in a newer row, which counts"

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def with_rule(self, name: str, rule: Rule) -> "Table":
        """Return the same table with one more rule on column ``name``."""
        self.column(name)
        columns = (replace(c, rules=(*c.rules, rule)) if c.name == name else c for c in self.columns)
        return replace(self, columns=tuple(columns))


def one_of(*values: str) -> Rule:
    """Return the rule: one of these words."""
    return Rule("isin", (values,), f"one of {', '.join(values)}")


def at_most(characters: int) -> Rule:
    """Return the rule: text no longer than the column of the database allows."""
    return Rule("str_length", (None, characters), f"at most {characters} characters long")


NOT_EMPTY = Rule("str_matches", (r"^\s*\S",), "not empty", fault="is empty")
BATCH_ID = Rule("str_matches", (f"^{BATCH_ID_PATTERN}$",), BATCH_ID_RULE)
POSITIVE = Rule("in_range", (1, INT32_MAX), f"from 1 to {INT32_MAX}")
RATING_RANGE = Rule("in_range", (0.5, 5.0), "from 0.5 to 5.0")
HALF_STEPS = Rule("in_steps_of", (0.5,), "in half steps")
NOT_MILLISECONDS = Rule(
    "not_milliseconds", (), "seconds since 1970, not milliseconds", fault="is in milliseconds, seconds are expected"
)
SECONDS = Rule("in_range", (0, 4_102_444_799), "a time from 1970 to 2099, in seconds")
