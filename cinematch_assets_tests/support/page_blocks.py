"""Fenced blocks of the pages: commands to run or to parse, files to write, changes to apply.

Here: reading them, and comparing what a command printed with what the page shows. Not here: running them
(``test_docs_commands``), what has to hold for each (``test_docs``).
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
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


def lines_of(block: Block) -> list[str]:
    """The command lines of a block."""
    if block.kind == RUN:
        return [command.line for command in commands(block)]
    return [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each command of a line, without variables set before it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("();<>|&"):
            while words and re.match(r"[A-Za-z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(token)


def apply(block: Block, root: Path, *options: str) -> None:
    """Make the change of a ``diff`` block in a copy of the checkout; with ``--check`` only see that it could be."""
    command = ["git", "apply", *options]
    done = subprocess.run(command, cwd=root, input=block.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + block.text


def extends_the_code(path: Path) -> bool:
    """Whether a page shows files or changes of files, so that its commands are for a copy of the checkout."""
    return any(block.kind == PATCH or block.title for block in blocks(path))
