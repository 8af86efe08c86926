"""Make ``.venv`` hold exactly what ``requirements/<name>.txt`` pins, and this project on top, editable.

Here: the virtual environment, pip, and the note that says what is installed. Not here: finding a Python (``install``),
choosing versions (``pin``). Standard library only: it runs before anything is installed.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NOTE = VENV / "installed.json"
LOG = ROOT / "build" / "setup.log"
WITHIN = {"runtime": ("runtime", "docs", "test"), "docs": ("docs", "test"), "test": ("test",)}
"""Name → files that hold all that it asks for, with the same pins."""


def main(name: str) -> int:
    """Set up for ``name``, a key of ``WITHIN``; at once when that was done before, with the same pins and place."""
    if _is_installed(name):
        return 0
    LOG.parent.mkdir(exist_ok=True)
    with _alone():
        if _is_installed(name):
            return 0
        started = time.monotonic()
        _say(f"Setting up .venv with Python {sys.version.split()[0]} (once; a few minutes) ...\n")
        try:
            _make_venv()
            # The pins are all there is to install. Resolving them again costs time, and older versions of pip stumble
            # over a package that is pinned with an extra and needed without.
            _pip("--require-hashes", "--no-deps", "--requirement", str(_pins(name)))
            _pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        except subprocess.CalledProcessError as failed:
            _say("".join(LOG.read_text(errors="replace").splitlines(keepends=True)[-15:]))
            _say(f"requirements/install: setting up .venv failed with exit code {failed.returncode}: see {LOG}.\n")
            return 1
        _write_note(name)
        _say(f"Set up in {time.monotonic() - started:.0f} s.\n")
    return 0


def _is_installed(name: str) -> bool:
    """Whether the note says so: it names the pins' content, the project's own set-up and the place of the checkout."""
    try:
        note = json.loads(NOTE.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    holder = note.get("requirements")
    return PYTHON.exists() and holder in WITHIN[name] and note == _note(holder)


def _note(name: str) -> dict[str, str]:
    project = _project_table((ROOT / "pyproject.toml").read_text())
    return {
        "requirements": name,
        "pins_sha256": hashlib.sha256(_pins(name).read_bytes()).hexdigest(),
        "project_sha256": hashlib.sha256(project.encode()).hexdigest(),
        "place": str(ROOT),
    }


def _write_note(name: str) -> None:
    """Last of all and in one step, so that an interrupted set-up is done again."""
    part = NOTE.with_suffix(".part")
    part.write_text(json.dumps(_note(name), indent=1))
    part.replace(NOTE)


def _project_table(pyproject: str) -> str:
    """The text before the first ``[tool.`` table: what an editable install depends on, and no linter's setting."""
    return re.split(r"^\[tool\.", pyproject, maxsplit=1, flags=re.MULTILINE)[0]


def _pins(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


@contextmanager
def _alone() -> Iterator[None]:
    """Two makes at once: the second waits for the first and then finds everything done."""
    with (LOG.parent / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another set-up of this checkout ...\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_venv() -> None:
    """Keep a virtual environment that works and stands where it was made; make any other anew."""
    place = VENV / "place.txt"
    if place.is_file() and place.read_text() == str(ROOT) and _runs(PYTHON, "-m", "pip", "--version"):
        NOTE.unlink(missing_ok=True)
        return
    venv.create(VENV, with_pip=True, clear=True, symlinks=True)
    place.write_text(str(ROOT))


def _runs(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _pip(*arguments: str) -> None:
    """Run ``pip install``; its output goes to the log, and on a terminal one line tells how far it is."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    environment = os.environ | {"PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    environment.pop("PYTHONPATH", None)
    with (
        LOG.open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as pip,
    ):
        for line in pip.stdout or ():
            log.write(line)
            _show(line)
    _show("")
    if pip.returncode:
        raise subprocess.CalledProcessError(pip.returncode, command)


def _show(line: str) -> None:
    if sys.stdout.isatty() and (not line or line.startswith(("Collecting", "Installing"))):
        _say(f"\r\033[K{line.rstrip()[:70]}")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit("requirements/install: interrupted; the next make starts the set-up again.")
