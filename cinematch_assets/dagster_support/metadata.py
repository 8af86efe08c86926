"""Values of asset metadata that several assets share.

Here: column schemas from the declarations, locations, message lists, numbers. Not here: the declarations
(``schemas``), what a result reports (its own method as_metadata).
"""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import dagster as dg

from cinematch_assets.dagster_support.markdown import plain, table
from cinematch_assets.schemas.table import Column, Table
from cinematch_assets.visible_text import visible

MAX_MESSAGES = 20
LABEL_CHARACTERS = 30
"""Dagster cuts the label of a column's rule after so many."""


def column_schema(declared: Table) -> dg.TableSchema:
    """A table's columns with their SQL types, descriptions and rules, as declared in ``schemas``."""
    return dg.TableSchema(columns=[_shown_column(column) for column in declared.columns])


def _shown_column(column: Column) -> dg.TableColumn:
    """One column; a rule that its label would cut stands in its description."""
    labels = [rule for rule in column.constraints if len(rule) <= LABEL_CHARACTERS]
    long = [rule for rule in column.constraints if len(rule) > LABEL_CHARACTERS]
    return dg.TableColumn(
        name=column.name,
        type=column.sql,
        description=_as_html("; ".join((column.description, *long))),
        constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.unique, other=labels),
    )


def _as_html(text: str) -> str:
    """Dagster shows a description as Markdown with HTML, which swallows ``<n>``."""
    return html.escape(text, quote=False)


def table_metadata(name: str, declared: Table) -> dict[str, Any]:
    """Static metadata of an asset that is a table: its name in the database, and its columns."""
    return {"dagster/table_name": name, "dagster/column_schema": column_schema(declared)}


def uri_metadata(uri: str) -> dg.MetadataValue:
    """Where an object is stored: a link for ``s3://``, a path for ``file://`` and plain paths."""
    return dg.MetadataValue.url(uri) if uri.startswith("s3://") else dg.MetadataValue.path(uri)


def report_url(key: str) -> dg.MetadataValue:
    """A link to a report in the store: root-relative, so that it opens wherever the UI does (``webserver.reports``)."""
    return dg.MetadataValue.url(f"/{quote(key)}")


def messages(texts: Sequence[str]) -> dg.MetadataValue:
    """The first ``MAX_MESSAGES`` texts and how many are left out, because metadata has to stay small."""
    shown = [visible(text) for text in texts[:MAX_MESSAGES]]
    rest = len(texts) - len(shown)
    return dg.MetadataValue.json([*shown, f"and {rest:,} more"] if rest else shown)


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with floats rounded to five digits at any depth and tuples as lists, without None and NaN.

    The UI refuses NaN, and shows all sixteen digits of what is nested.
    """
    return {name: _rounded(value) for name, value in values.items() if not _is_undefined(value)}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Mapping):
        return rounded(value)
    return [_rounded(each) for each in value if not _is_undefined(each)] if isinstance(value, list | tuple) else value


def readable(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as ``rounded``, a list as its items and a mapping as a table: Dagster would show JSON."""
    return {name: _in_words(value) for name, value in rounded(values).items()}


def _in_words(value: Any) -> Any:
    if isinstance(value, Mapping):
        rows = [(plain(name), plain(each)) for name, each in _flat(value)]
        return dg.MetadataValue.md(table(("", ""), rows)) if rows else "none"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else value


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each value at any depth with its names, a list's items by their number."""
    if isinstance(values, Mapping | list):
        for key, value in values.items() if isinstance(values, Mapping) else enumerate(values, start=1):
            yield from _flat(value, f"{name} {key}".strip())
    else:
        yield name, values


def _is_undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
