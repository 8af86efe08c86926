"""Command blocks of the pages: those marked ``console`` are run, in the order of the pages; those marked ``sh`` parse.

A ``sh`` block needs an account, another program or a long time. A page that shows files or changes of files has them
written into a copy of the checkout, and its commands run there.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cinematch_assets_tests.support.page_blocks import PARSED, PATCH, RUN, Block, Command, blocks, commands
from cinematch_assets_tests.support.servers import free_port, short_folder
from docs.command_tree import commands as command_tree
from docs.site import CONFIG, ROOT, sources

PAGES = [path for path in sources() if path.suffix == ".md"]
NAMES = [str(path) for path in PAGES]
EXTENDING = [path for path in PAGES if any(block.kind == PATCH or block.title for block in blocks(ROOT / path))]
DEADLINE_S = 900
_LOOKS_LIKE_A_COMMAND = re.compile(r"^(?:\$ |(?:\.venv/bin/)?cinematch [a-z]|make [a-z])", re.MULTILINE)


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


@cache
def known_commands() -> dict[str, Any]:
    return dict(command_tree())


def parse(words: list[str]) -> None:
    """Parse the words behind ``cinematch`` as the program does, and do nothing."""
    tree = known_commands()
    words = ["1" if word.startswith("$") else word for word in words if word != "--quiet"]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in tree), None)
    assert name is not None, f"there is no such command: {words}"
    tree[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_block_with_commands_says_whether_it_is_run(path: Path) -> None:
    for block in blocks(ROOT / path):
        if block.kind not in {RUN, PARSED}:
            assert not _LOOKS_LIKE_A_COMMAND.search(block.text), f"mark it {RUN} or {PARSED}: {block.text}"


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_command_line_parses(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    found = [block for block in blocks(ROOT / path) if block.kind in {RUN, PARSED}]
    text = "\n".join(line for block in found for line in lines_of(block))
    if text:
        checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr + text
    for block in found:
        for line in lines_of(block):
            for words in simple_commands(line):
                program = words[0].removeprefix(".venv/bin/")
                if program == "cinematch":
                    parse(words[1:])
                elif program == "make":
                    assert words[1] in targets, line


@pytest.mark.parametrize("line", ["cinematch no-such-command", "cinematch status --nothing", "cinematch sql"])
def test_a_command_that_does_not_parse_is_noticed(line: str) -> None:
    (words,) = simple_commands(line)
    with pytest.raises(Exception, match=r"no such command|No such option|Missing parameter"):
        parse(words[1:])


def test_an_answer_has_the_shown_lines_in_their_order() -> None:
    command = Command("cinematch demo", ("1/5 … files", "done"))
    assert command.is_answered_by("1/5  make the\n files\n\ndone in 3 s")
    assert not command.is_answered_by("done\n1/5 files")


@pytest.mark.parametrize("path", EXTENDING, ids=[str(path) for path in EXTENDING])
def test_each_change_of_a_file_applies(path: Path) -> None:
    for block in blocks(ROOT / path):
        if block.kind == PATCH:
            apply(block, ROOT, "--check")


def apply(block: Block, root: Path, *options: str) -> None:
    command = ["git", "apply", *options]
    done = subprocess.run(command, cwd=root, input=block.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + block.text


class Terminal:
    """A shell in a folder, with ``cinematch`` and ``.venv`` there; ``cinematch dev`` runs beside it until the stop."""

    def __init__(self, folder: Path, checkout: Path) -> None:
        self.folder = folder
        programs = folder / "programs"
        programs.mkdir()
        (programs / "cinematch").write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cinematch_assets.cli.main "$@"\n'
        )
        (programs / "cinematch").chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(checkout),
            "COLUMNS": "200",
        }
        self.services: subprocess.Popen[bytes] | None = None

    def run(self, command: Command) -> None:
        if command.line == "cinematch dev":
            line = ["cinematch", "dev", "--port", str(free_port())]
            with (self.folder / "dev.log").open("wb") as log:
                self.services = subprocess.Popen(
                    line, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            return
        until = time.monotonic() + DEADLINE_S
        while True:
            code, output = self._ask(command.line)
            if code == 0 and command.is_answered_by(output):
                return
            # What the services are to do takes a while; everything else is done when the command ends.
            if self.services is None or time.monotonic() > until:
                pytest.fail(f"$ {command.line}\n{output}\n(exit code {code}; shown: {command.shown})")
            time.sleep(2)

    def _ask(self, line: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if line == "cinematch stop" and self.services is not None:
            self.services.wait(DEADLINE_S)
            self.services = None
        return done.returncode, done.stdout + done.stderr

    def close(self) -> None:
        subprocess.run(["cinematch", "stop"], cwd=self.folder, env=self.environment, check=False)
        if self.services is not None and self.services.poll() is None:
            os.killpg(self.services.pid, signal.SIGKILL)
            self.services.wait()


@contextmanager
def terminal(checkout: Path) -> Iterator[Terminal]:
    with short_folder() as folder:
        opened = Terminal(folder, checkout)
        try:
            yield opened
        finally:
            opened.close()


def in_the_order_of_the_navigation() -> list[Path]:
    def entries(nav: object) -> list[str]:
        if isinstance(nav, str):
            return [nav]
        return [name for part in (nav.values() if isinstance(nav, dict) else nav) for name in entries(part)]  # type: ignore[attr-defined]

    nav = tomllib.loads((ROOT / CONFIG).read_text(encoding="utf-8"))["project"]["nav"]
    return [Path(name) for name in entries(nav) if Path(name) not in EXTENDING]


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_the_commands_of_the_pages_do_what_the_pages_say() -> None:
    ran = 0
    with terminal(ROOT) as shell:
        for path in in_the_order_of_the_navigation():
            for command in (each for block in blocks(ROOT / path) if block.kind == RUN for each in commands(block)):
                shell.run(command)
                ran += 1
    assert ran > 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", EXTENDING, ids=[path.stem for path in EXTENDING])
def test_what_a_page_adds_to_the_code_works(path: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("cinematch_assets", "cinematch_assets_tests", "docs", "sql"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, checkout / name)
    (checkout / ".venv").symlink_to(sys.prefix)
    shell = Terminal(checkout, checkout)
    for block in blocks(ROOT / path):
        if block.kind == PATCH:
            apply(block, checkout)
        elif block.title:
            (checkout / block.title).parent.mkdir(parents=True, exist_ok=True)
            (checkout / block.title).write_text(block.text, encoding="utf-8")
        elif block.kind == RUN:
            for command in commands(block):
                shell.run(command)
