"""The words in which a table's shape is declared: columns, their types, their rules, their meaning.

Here: plain frozen dataclasses, and nothing to import that is not light. Not here: the checking, which
``models`` does by building a Pandera model out of a declaration.

Why declarations and not ``DataFrameModel`` classes: Dagster's definitions show every table's columns, and so import
every declaration, while importing pandera doubles the price of ``import dagster`` (0.5 s on top of 0.55 s, and the
definitions may cost 1.3 times). A declaration is the one source; the Pandera model is derived when rows are checked.
"""

from dataclasses import dataclass, replace
from typing import Literal

from cinematch_assets.table_names import BATCH_ID_PATTERN, BATCH_ID_RULE

Dtype = Literal["int32", "int64", "float32", "float64", "str", "bool", "Int32", "boolean", "datetime64[us]", "object"]

INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One check on the values of a column.

    ``check`` names a built-in of ``pandera.Check`` or one of ``models.OWN_CHECKS``; ``arguments`` go to it in order.
    ``words`` complete "the value is …" for docs and UI; ``fault`` completes "the value …" in the reason that a
    rejected row gets, and is "is not <words>" unless given.
    """

    check: str
    arguments: tuple[object, ...]
    words: str
    fault: str = ""

    @property
    def reason(self) -> str:
        """What a value that breaks the rule is told, to be read after the column's name."""
        return self.fault or f"is not {self.words}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in files, its pandas dtype, its Postgres type, what it means and what it may hold."""

    name: str
    dtype: Dtype
    sql: str
    description: str
    nullable: bool = False
    unique: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether a file's text has to be a number to fit here."""
        return self.dtype in {"int32", "int64", "float32", "float64", "Int32"}

    @property
    def is_whole(self) -> bool:
        """Whether a number with a fraction does not fit here."""
        return self.dtype in {"int32", "int64", "Int32"}

    @property
    def constraints(self) -> tuple[str, ...]:
        """The rules in words, as the UI and the docs list them; nullable and unique have places of their own."""
        return tuple(rule.words for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a file: its name, what it is for, its columns, and the columns that tell its rows apart."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names in the order of declaration."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def with_rule(self, name: str, rule: Rule) -> "Table":
        """The same table with one more rule on column ``name``."""
        self.column(name)
        columns = (replace(c, rules=(*c.rules, rule)) if c.name == name else c for c in self.columns)
        return replace(self, columns=tuple(columns))


def one_of(*values: str) -> Rule:
    """A rule: one of these words."""
    return Rule("isin", (values,), f"one of {', '.join(values)}")


def at_most(characters: int) -> Rule:
    """A rule: no longer text than the column of the database holds."""
    return Rule("str_length", (None, characters), f"at most {characters} characters long")


NOT_EMPTY = Rule("str_matches", (r"^\s*\S",), "not empty", fault="is empty")
BATCH_ID = Rule("str_matches", (f"^{BATCH_ID_PATTERN}$",), BATCH_ID_RULE)
POSITIVE = Rule("in_range", (1, INT32_MAX), f"from 1 to {INT32_MAX}")
STARS = Rule("in_range", (0.5, 5.0), "from 0.5 to 5.0")
HALF_STEPS = Rule("in_steps_of", (0.5,), "in half steps")
NOT_MILLISECONDS = Rule(
    "not_milliseconds", (), "seconds since 1970, not milliseconds", fault="is in milliseconds, seconds are expected"
)
SECONDS = Rule("in_range", (0, 4_102_444_799), "a time from 1970 to 2099, in seconds")
