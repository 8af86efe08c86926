"""The tree explains itself: docstrings name what exists, tests mirror modules, and each thing has one name."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from cinematch_assets_tests.support.source_files import python_files
from docs import terms

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, TESTS = ROOT / "cinematch_assets", ROOT / "cinematch_assets_tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in {"__init__.py", "__main__.py"})
NAMES = [str(path.relative_to(PACKAGE)) for path in MODULES]
FILES = python_files("cinematch_assets", "cinematch_assets_tests", "benchmarks", "deploy", "docs", "requirements")


def not_here(path: Path) -> list[str]:
    """Names in double backticks in the sentence "Not here: …" of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    _, found, rest = docstring.partition("Not here:")
    return re.findall(r"``([^`]+)``", re.split(r"\.\s|\n\s*\n", rest)[0]) if found else []


@cache
def defined(path: Path) -> frozenset[str]:
    """Names that a module binds at its top level, and ``Class.attribute`` for those of its classes."""
    names: set[str] = set()

    def bind(node: ast.stmt, owner: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(owner + node.name)
        elif isinstance(node, ast.Assign):
            names.update(owner + target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(owner + node.target.id)
        if isinstance(node, ast.ClassDef) and not owner:
            for member in node.body:
                bind(member, f"{node.name}.")

    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        bind(node, "")
    return frozenset(names)


def folders_of(module: Path) -> list[Path]:
    """Where a name may start: the module's folder and those above it, up to the package, or the checkout for others."""
    top = PACKAGE if PACKAGE in module.parents else ROOT
    folders = list(module.parents)
    return folders[: folders.index(top) + 1]


def exists(name: str, module: Path) -> bool:
    """Whether a name is a file, module, package, attribute or environment variable, seen from a module."""
    if (ROOT / name).exists() or (module.parent / name).is_file():
        return True
    if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name):
        return f"{name}=" in (ROOT / ".env.example").read_text(encoding="utf-8")
    parts = name.removesuffix("()").split(".")
    for folder in folders_of(module):
        for length in range(len(parts), -1, -1):
            place, attribute = folder.joinpath(*parts[:length]), ".".join(parts[length:])
            owners = (place.with_suffix(".py"), place / "__init__.py") if length else (module,)
            if not attribute and place.is_dir():
                return True
            if any(file.is_file() and (not attribute or attribute in defined(file)) for file in owners):
                return True
    return False


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_what_a_docstring_points_to_exists(path: Path) -> None:
    assert [name for name in not_here(path) if not exists(name, path)] == []


@pytest.mark.parametrize(
    "name",
    [
        "promotion",
        "drive",
        "docs/glossary.md",
        "batches",
        "warehouse.batches.load_batch",
        "settings.Settings.from_env()",
        "dagster.yaml",
        "CINEMATCH_HOME",
    ],
)
def test_a_name_that_exists_is_found(name: str) -> None:
    assert exists(name, PACKAGE / "warehouse" / "connection.py")


@pytest.mark.parametrize(
    "name", ["no_such_module", "warehouse.batches.no_such_name", "settings.Settings.nothing", "CINEMATCH_NOTHING"]
)
def test_a_name_that_does_not_exist_is_noticed(name: str) -> None:
    assert not exists(name, PACKAGE / "warehouse" / "batches.py")


COMMANDS = "a command's arguments and output: cli/test_commands.py runs it"
DEV = "cli/test_dev.py starts, kills and stops the processes"
RUN = "wiring of steps that pipeline/ has tested: defs/test_jobs.py runs it, defs/test_definitions.py compares it"
DECLARED = "a declaration: sql/test_schema_reference.py compares it with the database, schemas/test_table.py with rows"
UNMIRRORED = {
    **dict.fromkeys(
        [
            "cli/audit.py",
            "cli/batches.py",
            "cli/evaluate.py",
            "cli/evaluate_inputs.py",
            "cli/features.py",
            "cli/migrate.py",
            "cli/models.py",
            "cli/notify.py",
            "cli/monitoring_report.py",
            "cli/options.py",
            "cli/recommend.py",
            "cli/rejects.py",
            "cli/similar.py",
            "cli/simulate.py",
            "cli/export.py",
            "cli/sql.py",
            "cli/status.py",
            "cli/status_tables.py",
        ],
        COMMANDS,
    ),
    **dict.fromkeys(["cli/demo.py"], "minutes: packaging/test_wheel.py runs the demo as installed"),
    **dict.fromkeys(["cli/stop.py"], DEV),
    **dict.fromkeys(
        [
            "definitions.py",
            "defs/partitions.py",
            "defs/automation/jobs.py",
            "defs/drift/drift_report.py",
            "defs/features/movie_genre_features.py",
            "defs/drive/raw_movies.py",
            "defs/drive/raw_netflix_collection.py",
            "defs/drive/raw_ratings.py",
            "defs/drive/raw_ratings_batch.py",
            "defs/model/model_metrics.py",
            "defs/model/recommendations.py",
            "defs/model/recommendations_export.py",
            "defs/model/recommender_model.py",
            "defs/monitoring/monitoring_report.py",
            "defs/tables/movies.py",
            "defs/tables/ratings.py",
            "defs/tables/ratings_buffer.py",
        ],
        RUN,
    ),
    "errors.py": "two empty classes: cli/test_main.py prints them",
    "recommender/progress.py": "a type and a function that does nothing: recommender/test_model.py passes others",
    **dict.fromkeys(
        [
            "schemas/drift_alerts.py",
            "schemas/ingestion_metadata.py",
            "schemas/model_metrics.py",
            "schemas/movies.py",
            "schemas/movie_genre_features.py",
            "schemas/movies_file.py",
            "schemas/netflix_movies.py",
            "schemas/ratings.py",
            "schemas/ratings_buffer.py",
            "schemas/ratings_file.py",
            "schemas/recommendations.py",
        ],
        DECLARED,
    ),
    "warehouse/monitoring.py": "queries of one page: pipeline/monitoring/test_facts.py reads all of them from tables",
    "values.py": "records without behaviour: reading/test_results.py and drive/test_folder.py use them",
}
"""Modules without a test file of the same path, and where they are tested instead."""


def mirror(path: Path) -> Path:
    """The test file that belongs to a module."""
    relative = path.relative_to(PACKAGE)
    return TESTS / relative.parent / f"test_{relative.name}"


def test_each_module_has_a_test_of_its_path_or_a_reason() -> None:
    missing = {name for path, name in zip(MODULES, NAMES, strict=True) if not mirror(path).exists()}
    assert missing - set(UNMIRRORED) == set()
    assert set(UNMIRRORED) - missing == set(), "these have a test now, or are gone: take them out of the list"


@pytest.mark.parametrize("reason", sorted(set(UNMIRRORED.values())))
def test_the_tests_that_a_reason_names_exist(reason: str) -> None:
    assert [file for file in re.findall(r"[\w/]+\.py", reason) if not (TESTS / file).is_file()] == []


TABLE = "layers of one table: its shape, reading its file, its rows in Postgres, its asset"
COMMAND = "the command and what it shows or does"
SHARED_NAMES = {
    **dict.fromkeys(
        [
            "drift_alerts.py",
            "model_metrics.py",
            "movie_genre_features.py",
            "movies.py",
            "netflix_movies.py",
            "ratings.py",
            "ratings_buffer.py",
            "recommendations.py",
        ],
        TABLE,
    ),
    **dict.fromkeys(["audit.py", "batches.py", "simulate.py", "status.py"], COMMAND),
    "monitoring_report.py": "the page's asset and its command",
    "opening.py": "of a folder and of a store: the implementation that a setting names",
}
"""File names that several modules share because they are about the same thing, and what that is."""


def test_no_two_modules_of_different_purpose_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for name in NAMES:
        places.setdefault(Path(name).name, []).append(name)
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in shared.items() if name not in SHARED_NAMES} == {}
    assert set(SHARED_NAMES) - set(shared) == set()


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


UNIT_OR_BOUND = re.compile(
    r"\b_?(?!NOT_AN?_)[A-Z]+_AN?_[A-Z]\w*|\b_?(?:MOST|LEAST|LARGEST|SMALLEST|FEWEST)_[A-Z]\w*|\b\w+_AT_ONCE\b"
)
"""Constants such as ROWS_A_WRITE, LEAST_ROWS and FILES_AT_ONCE."""


@pytest.mark.parametrize("constant", ["ROWS_A_WRITE", "_SECONDS_A_TRY", "LEAST_ROWS", "ROWS_AT_ONCE"])
def test_a_constant_of_the_former_kind_is_noticed(constant: str) -> None:
    assert UNIT_OR_BOUND.fullmatch(constant)


def test_constants_say_per_min_and_max() -> None:
    found = {name: UNIT_OR_BOUND.findall(path.read_text("utf-8")) for path, name in zip(MODULES, NAMES, strict=True)}
    assert {name: constants for name, constants in found.items() if constants} == {}


def in_checkout() -> bool:
    return subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False).returncode == 0


@cache
def words() -> dict[str, dict[str, int]]:
    return terms.places()


@pytest.mark.skipif(not in_checkout(), reason="no git checkout")
@pytest.mark.parametrize("term", sorted(terms.GONE))
def test_a_word_that_has_a_better_one_is_gone(term: str) -> None:
    assert words().get(term, {}) == {}, f"say {terms.TERMS[term]} instead"
