"""The built wheel works where no checkout is: from an unpacked copy, with this environment's dependencies."""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Path]:
    """A folder that holds the wheel's content and nothing of the checkout."""
    with tempfile.TemporaryDirectory(prefix="cm") as folder:  # short: the embedded server's socket lies below it
        Path(folder).chmod(0o755)  # root's embedded server runs as another user
        zipfile.ZipFile(wheel).extractall(folder)
        yield Path(folder)


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the unpacked wheel, in an empty folder outside the checkout."""
    work = installed / "work"
    work.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(installed), "CINEMATCH_HOME": str(work / "home")}
    code = "import sys; from cinematch_assets.cli.main import main; sys.argv = ['cinematch', *sys.argv[1:]]; main()"
    argv = [sys.executable, "-c", code, *command] if command[0] != "-m" else [sys.executable, *command]
    return subprocess.run(argv, cwd=work, env=environment, capture_output=True, text=True, check=False)


def test_it_holds_the_files_that_stand_outside_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    outside = [*(ROOT / "sql").rglob("*.sql"), ROOT / "dagster.yaml", ROOT / "workspace.yaml"]
    assert {f"cinematch_assets/_files/{file.relative_to(ROOT)}" for file in outside} - names == set()
    assert {name.partition("/")[0] for name in names} == {"cinematch_assets", "cinematch_assets-0.1.0.dist-info"}


def test_the_command_works_outside_a_checkout(installed: Path) -> None:
    migrated = run(installed, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    asked = run(installed, "sql", "SELECT count(*) FROM ratings", "--json")
    assert asked.returncode == 0, asked.stderr
    assert '"count": 0' in asked.stdout
    assert run(installed, "stop").returncode == 0


def test_dagster_finds_the_definitions_outside_a_checkout(installed: Path) -> None:
    checked = run(installed, "-m", "dagster", "definitions", "validate", "-m", "cinematch_assets.definitions")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All code locations passed validation" in checked.stdout + checked.stderr
    run(installed, "stop")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installed_wheel_runs_the_demo_in_an_empty_environment(wheel: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cm") as folder:
        here = Path(folder)
        here.chmod(0o755)
        subprocess.run([sys.executable, "-m", "venv", str(here / "venv")], check=True)
        pins = ["--require-hashes", "--no-deps", "-r", str(ROOT / "requirements" / "runtime.txt")]
        for arguments in (pins, ["--no-deps", str(wheel)]):
            subprocess.run([str(here / "venv/bin/pip"), "install", "-q", *arguments], check=True)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
            "CINEMATCH_HOME": str(here / "home")
        }
        for words in (["demo", "--data", "synthetic:20000"], ["status"], ["stop"]):
            done = subprocess.run(
                [str(here / "venv/bin/cinematch"), *words],
                cwd=here,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
