"""Command blocks of the pages that are marked ``console`` are run, in the order of the pages; ``test_docs`` parses all.

A ``sh`` block needs an account, another program or a long time. A page that shows files or changes of files has them
written into a copy of the checkout, and its commands run there.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cinematch_assets_tests.support.page_blocks import PATCH, RUN, Command, apply, blocks, commands, extends_the_code
from cinematch_assets_tests.support.servers import free_port, short_folder
from docs.site import ROOT, navigation, sources

PAGES = [path for path in sources() if path.suffix == ".md"]
EXTENDING = [path for path in PAGES if extends_the_code(ROOT / path)]
DEADLINE_S = 1800


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
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # in the order in which a terminal shows them
            text=True,
            check=False,
        )
        if line == "cinematch stop" and self.services is not None:
            self.services.wait(DEADLINE_S)
            self.services = None
        return done.returncode, done.stdout

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
    return [Path(name) for name in navigation() if Path(name) not in EXTENDING]


@pytest.mark.slow
@pytest.mark.timeout(10_800)
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
