"""Every distribution that is imported is declared where it is needed."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cinematch_assets_tests.support.source_files import python_files

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"cinematch_assets", "cinematch_assets_tests", "benchmarks", "docs"}
PEERS = {"cornac", "implicit", "lenskit", "surprise", "pyspark"}
"""Installed by the benchmark itself into an environment of its own (``benchmarks/recommender/environment.py``)."""


def canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def declared(*extras: str) -> set[str]:
    """Distributions that pyproject.toml asks for."""
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return {canonical(Requirement(line).name) for line in wanted}


def imported(file: Path) -> set[str]:
    """Full names of the modules that a file imports when it runs, at any depth of the code."""
    names = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def undeclared(folder: str, *extras: str) -> dict[str, set[str]]:
    """Distributions that a folder's files import and that are not declared, with the files."""
    owners, known = packages_distributions(), declared(*extras)
    missing: dict[str, set[str]] = {}
    for file in python_files(folder):
        for module in imported(file):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in OURS or (folder == "benchmarks" and top in PEERS):
                continue
            found = {canonical(owner) for owner in owners.get(top, [top])}
            if top == "google":  # a namespace that several distributions share
                found = {f"google-{module.split('.')[1]}"} if module != "google.auth" else {"google-auth"}
                found = {"google-auth"} if module.startswith(("google.auth", "google.oauth2")) else found
            if not found & known:
                missing.setdefault("/".join(sorted(found)), set()).add(str(file.relative_to(ROOT)))
    return missing


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("cinematch_assets", ("aws", "mlflow", "spark")),
        ("cinematch_assets_tests", ("test", "docs")),
        ("benchmarks", ("test",)),
        ("docs", ("docs",)),
    ],
)
def test_each_imported_distribution_is_declared(folder: str, extras: tuple[str, ...]) -> None:
    assert undeclared(folder, *extras) == {}


@pytest.mark.parametrize("name", ["llvmlite", "google-auth", "python-dotenv"])
def test_an_import_without_its_declaration_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = [line for line in PROJECT["dependencies"] if canonical(Requirement(line).name) != name]
    monkeypatch.setitem(PROJECT, "dependencies", rest)
    assert name in undeclared("cinematch_assets")


def test_an_import_that_only_tests_may_use_is_noticed_in_the_package() -> None:
    assert "selenium" in undeclared("cinematch_assets_tests")
