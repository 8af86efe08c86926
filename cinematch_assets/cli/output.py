"""Output of the command: tables, JSON, progress.

Here: formatting, on consoles on which text from outside is neither markup nor a terminal's control sequence, whatever
it is part of. Not here: what is printed (``status_tables``, ``recommend``).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cinematch_assets.visible_text import visible


class _TextConsole(Console):
    """A console that shows control characters instead of sending them; its own colours and cursor moves pass."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is written, with the text of each piece made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


out = _TextConsole(soft_wrap=True, markup=False, emoji=False, highlight=False)
err = _TextConsole(stderr=True, soft_wrap=True, markup=False, emoji=False, highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below a title; numbers are right-aligned, None is an empty cell."""
    table = Table(title=Text(title), title_justify="left", title_style="bold", header_style="bold", expand=False)
    cells = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in cells)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def print_json(value: object) -> None:
    """Print a value for programs; times as ISO 8601."""
    text = json.dumps(value, default=_plain, indent=2)
    if out.is_terminal:
        out.print_json(text, indent=2)
    else:
        print(text)  # noqa: T201 - rich would fold long lines


def print_json_rows(rows: Iterable[object]) -> None:
    """Print an array for programs as its rows come, one a line; it is closed only when all of them came."""
    separator = "["
    for row in rows:
        print(f"{separator}\n{json.dumps(row, default=_plain)}", end="")  # noqa: T201 - see print_json
        separator = ","
    print("[]" if separator == "[" else "\n]")  # noqa: T201


def print_json_lines(rows: Iterable[object]) -> None:
    """Print rows for programs as they come, one JSON value a line."""
    for row in rows:
        print(json.dumps(row, default=_plain))  # noqa: T201 - see print_json


@contextmanager
def progress(phase: str) -> Iterator["Bar"]:
    """Show a progress bar on a terminal, and nothing elsewhere; the bar is a ``Progress`` callback."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        yield Bar(shown, phase)


class Bar:
    """A progress bar that is called with a phase's name and the share done, 0 to 1."""

    def __init__(self, shown: Progress, phase: str) -> None:
        self._shown = shown
        self._task = shown.add_task(phase, total=1.0)

    def __call__(self, phase: str, share: float) -> None:
        """Show the phase and its share."""
        self._shown.update(self._task, description=phase, completed=share)


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
    return visible(str(value)).replace("\n", "\\n")


def _plain(value: Any) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if hasattr(value, "item") else str(value)
