"""Output of the command: tables, JSON, progress.

Here: formatting, on consoles on which text from outside is neither markup nor a terminal's control sequence, whatever
it is part of, and which write with ASCII what their encoding lacks. Not here: what is printed (``status_tables``,
``recommend``).
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cinematch_assets.visible_text import visible

_IN_ASCII = {
    "★": "*",
    "•": "*",
    "±": "+/-",
    "→": "->",
    "✓": "ok",
    "✗": "x",
    "…": "...",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
}


_NUMBER = re.compile(r"([-+]?[\d,.]+( ?%)?)?")
_MAX_WORD = 40
_RULE_WIDTH = 3
"""What rules and gaps take for each column of a table."""


def encodable(text: str, encoding: str) -> str:
    """Return the text with what ``encoding`` lacks in ASCII: signs by a table, letters bare, else numbers."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_encodable(character, encoding) for character in text)
    return text


def _encodable(character: str, encoding: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFKD", character) if not unicodedata.combining(each))
    for form in (character, _IN_ASCII.get(character, ""), bare):
        if form and form.encode(encoding, "ignore").decode(encoding) == form:
            return form
    return character.encode(encoding, "backslashreplace").decode(encoding)


class _TextConsole(Console):
    """A console that shows control characters instead of sending them; its own colours and cursor moves pass."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is written, with the text of each piece made visible."""
        for segment in super().render(renderable, options):
            yield (
                segment if segment.control else Segment(encodable(visible(segment.text), self.encoding), segment.style)
            )


out = _TextConsole(soft_wrap=True, markup=False, emoji=False, highlight=False)
err = _TextConsole(stderr=True, soft_wrap=True, markup=False, emoji=False, highlight=False)

notes = _TextConsole(soft_wrap=True, markup=False, emoji=False, highlight=False)
"""For what is no result: steps and explanations, which ``--quiet`` leaves out."""


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below a title; numbers are right-aligned, None is an empty cell.

    Words are whole: rows that would need broken ones at the width of the terminal are printed one column a line.
    """
    values = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in values]
    names = [encodable(column, out.encoding) for column in columns]
    lines = [[name, *(row[position] for row in cells)] for position, name in enumerate(names)]
    least = [max(_word_width(text) for text in column) for column in lines]
    room = out.width - _RULE_WIDTH * len(names)
    if cells and sum(least) > room:
        _print_records(title, names, cells)
        return
    widths = _fitted(least, [max(map(cell_len, column)) for column in lines], room)
    table = Table(title=Text(title), title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD)
    table.show_edge, table.show_header = False, any(names)
    for position, name in enumerate(names):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in values)
        right = numeric or (bool(cells) and all(_NUMBER.fullmatch(row[position]) for row in cells))
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", width=widths[position])
    for row in cells:
        table.add_row(*row)
    out.print()
    out.print(table)


def print_folded(text: str, style: str = "") -> None:
    """Print a line folded to the terminal's width, and whole where a program reads it."""
    out.print(text, style=style, soft_wrap=not out.is_terminal)


def _print_records(title: str, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print rows below each other, a column a line, with an empty line between two."""
    out.print()
    out.print(Text(title, "bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for number, row in enumerate(cells):
        if number:
            table.add_row("", "")
        for name, cell in zip(names, row, strict=True):
            table.add_row(name, cell)
    out.print(table)


def _fitted(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Widths of columns: what their words need at least, and what is left to those that lack the most of theirs."""
    widths = list(least)
    for _ in range(room - sum(least)):
        lacking = [position for position in range(len(widths)) if natural[position] > widths[position]]
        if not lacking:
            break
        widths[max(lacking, key=lambda position: natural[position] / max(widths[position], 1))] += 1
    return widths


def _word_width(text: str) -> int:
    """Return the width of the longest word; those that no terminal holds well may be broken."""
    return max((min(cell_len(word), _MAX_WORD) for word in text.split()), default=0)


def print_json(value: object) -> None:
    """Print a value for programs; times as ISO 8601."""
    text = json.dumps(value, default=_plain, indent=2)
    if out.is_terminal:
        out.print_json(text, indent=2, ensure_ascii=not out.encoding.startswith("utf"))
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
    """Show a progress bar on a terminal, and nothing elsewhere or if quiet; the bar is a ``Progress`` callback."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal or notes.quiet) as shown:
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
    return encodable(visible(str(value)).replace("\n", "\\n"), out.encoding)


def _plain(value: Any) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value.item() if hasattr(value, "item") else str(value)
