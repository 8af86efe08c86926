"""Markdown for descriptions and metadata, in which text from outside stays text.

Here: escaping, commands, tables, figures. Not here: which texts are shown (``table_checks``, ``metadata``).
"""

import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$@:=^-]")
MAX_CELL_CHARACTERS = 120
INLINE_CHARACTERS = 1_000
"""Dagster shows Markdown metadata in place only below this length; descriptions have no limit."""


def plain(text: object, limit: int = MAX_CELL_CHARACTERS) -> str:
    """Return text from outside as Markdown that shows just these characters, on one line, cut after ``limit``."""
    line = "".join(_visible(character) for character in str(text))
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", line)


def command(*words: str) -> str:
    """Return a command as inline code, its words quoted for a shell; in code Markdown leaves each character alone."""
    line = "".join(_visible(character) for character in shlex.join(words))
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if len(fence) > 1 else f"`{line}`"


def _visible(character: str) -> str:
    """The character, or its number where it is invisible or changes the direction of text."""
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return character
    return f"\\u{ord(character):04x}" if character not in "\t\r\n" else " "


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; ``columns`` and the cells are Markdown already (see ``plain``)."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def short(value: float | None, digits: int = 4) -> str:
    """Return a figure with so many digits after the point; "undefined" for None."""
    return "undefined" if value is None else f"{value:.{digits}f}"
