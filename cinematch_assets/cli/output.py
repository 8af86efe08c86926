"""How the command speaks: tables, JSON, one-sentence errors, progress.

Here: output. Not here: answers.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows with a heading; numbers stand right, None is empty."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=False)
    cells = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def print_json(value: object) -> None:
    """Print a value for programs; times as ISO 8601."""
    out.print_json(json.dumps(value, default=_plain), indent=2) if out.is_terminal else print(  # noqa: T201
        json.dumps(value, default=_plain, indent=2)
    )


@contextmanager
def progress(what: str) -> Iterator["Bar"]:
    """Show a bar on a terminal, and nothing anywhere else."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        yield Bar(shown, what)


class Bar:
    """Told what is being done and the share of it that is done; the form in which the recommender reports."""

    def __init__(self, shown: Progress, what: str) -> None:
        self._shown = shown
        self._task = shown.add_task(what, total=1.0)

    def __call__(self, what: str, share: float) -> None:
        """Show how far it is."""
        self._shown.update(self._task, description=what, completed=share)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def _plain(value: Any) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if hasattr(value, "item") else str(value)
