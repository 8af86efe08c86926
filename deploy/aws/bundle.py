"""The Lambda functions' zip: their code, our migrations, and the packages they need, built without Docker.

``python deploy/aws/bundle.py`` writes ``build/lambda.zip``. Here: what is in it, and how the same inputs give the same
bytes: entries are sorted, carry one date and are not compressed, since compressors differ. Not here: the functions
(``lambda``), versions (``requirements/runtime.txt``). Standard library only.
"""

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = Path(__file__).with_name("lambda")
TARGET = ROOT / "build" / "lambda.zip"
PYTHON_VERSION = "3.11"
"""Of the function's runtime; the tests run the bundle on the same one."""
PLATFORM = "manylinux2014_x86_64"
PACKAGES = (
    "psycopg",
    "psycopg-binary",
    "typing-extensions",
    "yoyo-migrations",
    "sqlparse",
    "tabulate",
    "tenacity",
    "importlib-metadata",
    "zipp",
)
"""boto3 is Lambda's own."""
SQL = ("sql/migrations", "sql/queries/migrations", "sql/queries/maintenance")
_DATE = (1980, 1, 1, 0, 0, 0)
_NOT_BUNDLED = re.compile(r"(^|/)(__pycache__|tests?)/|\.(pyc|pyi)$|^(bin|.*\.data)/")


def main() -> int:
    """Write the bundle and print its path, size and hash."""
    build(TARGET)
    content = TARGET.read_bytes()
    sys.stdout.write(
        f"{TARGET.relative_to(ROOT)}  {len(content):,} bytes  sha256 {hashlib.sha256(content).hexdigest()}\n"
    )
    return 0


def build(target: Path) -> None:
    """Write the zip, replacing a former one only when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        entries = {**_packages(Path(downloads)), **ours()}
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as bundle:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            bundle.writestr(entry, entries[name])
    part.replace(target)


def ours() -> dict[str, bytes]:
    """The functions at the top, the modules of ours that they import, and SQL where the installed package has it."""
    functions = sorted(CODE.glob("*.py"))
    entries = {file.name: file.read_bytes() for file in functions}
    entries |= {str(file.relative_to(ROOT)): file.read_bytes() for file in _imported(functions)}
    files = (file for folder in SQL for file in (ROOT / folder).glob("*.sql"))
    entries |= {f"cinematch_assets/_files/{file.relative_to(ROOT)}": file.read_bytes() for file in files}
    entries |= {f"queries/{file.name}": file.read_bytes() for file in (CODE / "queries").glob("*.sql")}
    return entries


def _imported(files: Iterable[Path]) -> set[Path]:
    """Every module of ``cinematch_assets`` that the files import, directly or not, with the packages around them."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        tree = ast.parse(waiting.pop().read_text(encoding="utf-8"))
        for name in _names(tree):
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                place = ROOT.joinpath(*parts[:length])
                for file in (place / "__init__.py", place.with_suffix(".py")):
                    if file.is_file() and file not in found:
                        found.add(file)
                        waiting.append(file)
    return found


def _names(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "cinematch_assets"}


def _packages(downloads: Path) -> dict[str, bytes]:
    """Download the pinned wheels for Lambda's platform, hashes checked, and return their files."""
    pins = downloads / "pins.txt"
    pins.write_text(_pins(), encoding="utf-8")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--requirement", str(pins), "--dest", str(downloads), "--only-binary=:all:",
            "--platform", PLATFORM, "--python-version", PYTHON_VERSION, "--implementation", "cp",
        ],
        check=True,
    )  # fmt: skip
    entries = {}
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as files:
            entries |= {
                n: files.read(n) for n in files.namelist() if not n.endswith("/") and not _NOT_BUNDLED.search(n)
            }
    return entries


def _pins() -> str:
    """The blocks of ``requirements/runtime.txt`` for our packages: the versions that the platform is tested with."""
    blocks = re.split(
        r"^(?=\w)", (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    by_name = {re.split(r"[\[=; ]", block, maxsplit=1)[0]: block for block in blocks}
    # The extra of psycopg[binary] would be resolved again; it is pinned beside it.
    return "".join(by_name[name].replace("[binary]", "", 1) for name in PACKAGES)


if __name__ == "__main__":
    sys.exit(main())
