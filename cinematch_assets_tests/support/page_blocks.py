"""Fenced blocks of the pages: commands to run or to parse, files to write, changes to apply.

Here: reading them, and comparing what a command printed with what the page shows. Not here: running them
(``cinematch_assets_tests/test_docs_commands.py``).
"""

import re
from dataclasses import dataclass
from pathlib import Path

RUN, PARSED, PATCH = "console", "sh", "diff"
"""Kinds of block: commands behind ``$`` with their output, commands that need an account, a change of a file."""

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its title, and its text without the indentation of the fence."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a ``console`` block, and the lines below it, each of which has to be in its output."""

    line: str
    shown: tuple[str, ...]

    def is_answered_by(self, output: str) -> bool:
        """Whether the shown lines are in ``output`` in this order; ``…`` stands for anything."""
        wanted = [" ".join(part.split()) for line in self.shown for part in line.split("…")]
        place, said = 0, " ".join(output.split())
        for part in wanted:
            found = said.find(part, place)
            if found < 0:
                return False
            place = found + len(part)
        return True


def blocks(path: Path) -> list[Block]:
    """Every fenced block of a page, in its order."""
    found = []
    for match in _BLOCK.finditer(path.read_text(encoding="utf-8")):
        kind, _, options = match["info"].partition(" ")
        title = re.search(r'title="([^"]*)"', options)
        text = "".join(line.removeprefix(match["indent"]) for line in match["text"].splitlines(keepends=True))
        found.append(Block(kind, title[1] if title else "", text))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a ``console`` block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"a console block begins with a command: {parts[0]}"
    lines = [part.rstrip("\n").split("\n") for part in parts[1:]]
    return [Command(line, tuple(each for each in shown if each.strip())) for line, *shown in lines]
