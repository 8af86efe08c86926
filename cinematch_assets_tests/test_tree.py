"""The tree explains itself: docstrings name what exists, tests mirror modules, names and words are one each."""

import ast
import re
from pathlib import Path

import pytest

from docs import terms

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, TESTS = ROOT / "cinematch_assets", ROOT / "cinematch_assets_tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in {"__init__.py", "__main__.py"})
NAMES = [str(path.relative_to(PACKAGE)) for path in MODULES]


def not_here(path: Path) -> list[str]:
    """Names in double backticks behind "Not here:" of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    _, found, rest = docstring.partition("Not here:")
    return re.findall(r"``([^`]+)``", re.split(r"\n\s*\n", rest)[0]) if found else []


def defined(path: Path) -> set[str]:
    """Names that a module binds at its top level."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def exists(name: str, module: Path) -> bool:
    """Whether a name is a file, module, package or attribute, seen from the package or from the module's folder."""
    if (ROOT / name).exists():
        return True
    folders = [module.parent, *module.parent.parents]
    for folder in folders[: folders.index(PACKAGE) + 1]:
        at = folder.joinpath(*name.split("."))
        if at.is_dir() or at.with_suffix(".py").is_file():
            return True
        *parents, attribute = name.split(".")
        owner = folder.joinpath(*parents) if parents else module
        for file in (owner.with_suffix(".py"), owner / "__init__.py"):
            if file.is_file() and attribute in defined(file):
                return True
    return False


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_what_a_docstring_points_to_exists(path: Path) -> None:
    assert [name for name in not_here(path) if not exists(name, path)] == []


def test_a_name_that_does_not_exist_is_noticed() -> None:
    module = PACKAGE / "warehouse" / "batches.py"
    assert exists("promotion", module)
    assert exists("warehouse.batches.load_batch", module)
    assert not exists("warehouse.batches.no_such_name", module)
    assert not exists("steps.watching", module)


UNMIRRORED: dict[str, str] = {}
"""Modules without a test file of the same path, and where they are tested instead."""


def mirror(path: Path) -> Path:
    """The test file that belongs to a module."""
    relative = path.relative_to(PACKAGE)
    return TESTS / relative.parent / f"test_{relative.name}"


def test_each_module_has_a_test_of_its_path_or_a_reason() -> None:
    missing = {name for path, name in zip(MODULES, NAMES, strict=True) if not mirror(path).exists()}
    assert missing - set(UNMIRRORED) == set()
    assert set(UNMIRRORED) - missing == set(), "these have a test now: take them out of the list"
    for name, reason in UNMIRRORED.items():
        for file in re.findall(r"\S+\.py", reason):
            assert (TESTS / file).exists(), f"{name}: {file}"


SHARED_NAMES: dict[str, str] = {}
"""File names that several modules share because they are about the same thing."""


def test_no_two_modules_of_different_purpose_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for name in NAMES:
        places.setdefault(Path(name).name, []).append(name)
    shared = {name for name, found in places.items() if len(found) > 1}
    assert shared - set(SHARED_NAMES) == set()
    assert set(SHARED_NAMES) - shared == set()


def test_only_the_command_prints() -> None:
    printing = [
        name
        for path, name in zip(MODULES, NAMES, strict=True)
        if not name.startswith("cli/")
        and any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert printing == []


def test_words_that_the_field_does_not_use_are_gone() -> None:
    assert {term: places for term, places in terms.places().items() if term in terms.GONE} == {}
