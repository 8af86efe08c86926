"""``requirements/install``, run in a small project of its own: finding a Python, installing once, failing in words."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "requirements"
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that needs nothing and builds itself."""
    root = tmp_path / "project"
    (root / "requirements").mkdir(parents=True)
    for script in ("install", "install.py"):
        shutil.copy(SCRIPTS / script, root / "requirements" / script)
    (root / "requirements" / "runtime.txt").write_text("")
    (root / "requirements" / "test.txt").write_text("")
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "1.0"\n[tool.other]\n'
    )
    return root


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Path]:
    """A folder of programs; with ``/bin`` hidden it is all that the script sees."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("dirname", "sh"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def install(project: Path, programs: Path | None = None, name: str = "runtime", **more: str) -> tuple[int, str]:
    path = str(programs) if programs else f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", project / "requirements" / "install", name],
        env={"PATH": path, "HOME": str(project)} | more,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.faults("supply-chain")
def test_it_installs_once_for_each_content_of_the_pins(project: Path) -> None:
    code, said = install(project, PYTHON=sys.executable)
    assert code == 0, said
    assert "Set up in" in said
    ran = subprocess.run([project / ".venv/bin/python", "-c", "import tiny"], check=False)
    assert ran.returncode == 0

    begun = time.monotonic()
    assert install(project, PYTHON=sys.executable) == (0, "")
    assert time.monotonic() - begun < 5

    (project / "requirements" / "runtime.txt").write_text("no-such-thing==1.0 --hash=sha256:" + "0" * 64 + "\n")
    refused, said = install(project, PYTHON=sys.executable, PIP_NO_INDEX="1")
    assert refused == 1
    assert "no-such-thing" in said
    assert "build/setup.log" in said
    assert not (project / ".venv" / "installed.json").exists()

    # What the tests need is enough to run, and was asked for while runtime.txt could not be had.
    assert "Set up in" in install(project, name="test", PYTHON=sys.executable)[1]
    assert install(project, name="runtime", PYTHON=sys.executable) == (0, "")


def test_two_at_once_install_once(project: Path) -> None:
    command = ["/bin/sh", str(project / "requirements" / "install"), "runtime"]
    environment = os.environ | {"PYTHON": sys.executable}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Set up in" in words for words in said) == 1


def test_a_python_that_does_not_run_is_passed_over(project: Path, programs: Path) -> None:
    program(programs, "python3.11", "echo 'python3.11: command not found' >&2; exit 127")
    program(programs, "python3.12", 'if [ "$1" = -c ]; then exit 0; fi; echo "3.12 runs $*"')
    assert install(project, programs) == (0, "3.12 runs requirements/install.py runtime\n")


def test_a_python_without_pip_is_named_with_what_to_install(project: Path, programs: Path) -> None:
    program(programs, "python3.12", f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    code, said = install(project, programs, PYTHON="python3.12")
    assert code == 1
    assert "python3.12 cannot make a virtual environment" in said
    assert "python3-venv" in said


def test_a_chosen_python_that_is_too_old_is_refused(project: Path, programs: Path) -> None:
    program(programs, "oldpython", "exit 1")
    code, said = install(project, programs, PYTHON="oldpython")
    assert code == 1
    assert "PYTHON=oldpython is no Python 3.11 or newer" in said
