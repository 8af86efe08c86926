"""The page ``docs/guarantees.md``: each promise, the tests that show it, and the figures of their last run.

Here: which tests are marked, the records of their runs, the page. Not here: the promises (``docs.promises``), writing
records down (``cinematch_assets_tests.support.fault_records``).
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs.cells import cell, code
from docs.promises import PROMISES, Promise

PAGE = Path(__file__).with_name("guarantees.md")
RECORDS = Path(__file__).with_name("guarantees.json")
TESTS = Path(__file__).parents[1] / "cinematch_assets_tests"
MARKER = "faults"

_HEAD = """\
# Guarantees, and how they were broken

<!-- Generated from the records of the last runs by `python -m docs`, and compared by a test. -->

What the platform promises is shown by trying to break it, on real servers, files and processes. `make test-faults`
runs the tests below and writes here what they found. It takes hours on two processors; `make test-faults ARGS='-k s3'`
renews a part. Those that are quick belong to `make test` too. A promise whose test failed, or was not run, stands here
as such. "last run" is the oldest run that a line rests on.
"""
_TABLE_HEAD = "| promise | state | last run | figures | shown by |\n|---|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Case:
    """What the last run of one case of a test found."""

    date: str
    failure: str = ""
    skipped: str = ""
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What the last runs of a test function found; cases may have run on different days.

    ``cases`` is their number, ``runs`` has those that ran, by the text in brackets of their names.
    """

    cases: int
    runs: Mapping[str, Case]

    @property
    def date(self) -> str:
        """Of the oldest run."""
        return min(run.date for run in self.runs.values())

    @property
    def passed(self) -> int:
        """The number of cases that passed."""
        return sum(not run.failure and not run.skipped for run in self.runs.values())

    @property
    def failure(self) -> str:
        """Of the first case that failed."""
        return next((run.failure for run in self.runs.values() if run.failure), "")

    @property
    def skipped(self) -> str:
        """The reason of the first case that was skipped."""
        return next((run.skipped for run in self.runs.values() if run.skipped), "")

    @property
    def figures(self) -> tuple[str, ...]:
        """All figures, each once."""
        return tuple(dict.fromkeys(figure for run in self.runs.values() for figure in run.figures))

    def renew(self, newer: "Record") -> "Record":
        """Return the newer record with the cases that only this one has, as far as there can be as many."""
        others = [item for item in self.runs.items() if item[0] not in newer.runs]
        others.sort(key=lambda item: item[1].date, reverse=True)  # cases that are gone were not run again
        room = max(0, newer.cases - len(newer.runs))
        return Record(newer.cases, dict(sorted({**dict(others[:room]), **newer.runs}.items())))


def read_records(path: Path = RECORDS) -> dict[str, Record]:
    """The records by test, such as ``warehouse/test_copy.py::test_rows``."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Record(fields["cases"], {case: _case(*run) for case, run in fields["runs"].items()})
        for name, fields in found.items()
    }


def _case(date: str, failure: str = "", skipped: str = "", figures: Iterable[str] = ()) -> Case:
    return Case(date, failure, skipped, tuple(figures))


def write_records(records: Mapping[str, Record], path: Path = RECORDS) -> None:
    """Write the records, in order of their names."""
    lines = []
    for name in sorted(records):
        runs = {case: _fields(run) for case, run in records[name].runs.items()}
        fields = json.dumps({"cases": records[name].cases, "runs": runs}, ensure_ascii=False)
        lines.append(f"{json.dumps(name)}: {fields}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _fields(run: Case) -> list[object]:
    """Return the fields up to the last that says something."""
    fields: list[object] = [run.date, run.failure, run.skipped, list(run.figures)]
    while not fields[-1]:
        fields.pop()
    return fields


@cache
def marked_tests() -> dict[str, tuple[str, ...]]:
    """Of each key that a marker names, the tests that bear it."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for name, keys in _marks(ast.parse(text)) if f"{MARKER}(" in text else ():
            for key in keys:
                found.setdefault(key, []).append(f"{path.relative_to(TESTS).as_posix()}::{name}")
    return {key: tuple(names) for key, names in found.items()}


def _marks(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    of_all = [
        key
        for node in module.body
        if isinstance(node, ast.Assign) and any(_is_named(target, "pytestmark") for target in node.targets)
        for key in _keys(node.value.elts if isinstance(node.value, ast.List) else [node.value])
    ]
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, [*of_all, *_keys(node.decorator_list)]


def _is_named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _keys(marks: Iterable[ast.expr]) -> list[str]:
    return [
        str(argument.value)
        for mark in marks
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{MARKER}"
        for argument in mark.args
        if isinstance(argument, ast.Constant)
    ]


def page() -> str:
    """The whole page, as Markdown."""
    return render(PROMISES, marked_tests(), read_records())


def render(
    promises: Mapping[str, Iterable[Promise]], marked: Mapping[str, tuple[str, ...]], records: Mapping[str, Record]
) -> str:
    """The page of some promises, the tests that show them, and the records of those."""
    parts = [_HEAD]
    for heading, lines in promises.items():
        parts.append(f"\n## {heading}\n\n{_TABLE_HEAD}")
        parts += [_line(each, marked.get(each.key, ()), records) for each in lines]
    return "".join(parts)


def _line(promise: Promise, tests: tuple[str, ...], records: Mapping[str, Record]) -> str:
    ran = {name: records[name] for name in tests if name in records}
    cells = (
        promise.text,
        cell_of_state(promise, tests, ran),
        min((record.date for record in ran.values()), default="never"),
        "<br>".join(_figures(ran.values())),
        "<br>".join(_names(tests)),
    )
    return f"| {' | '.join(cells)} |\n"


def cell_of_state(promise: Promise, tests: tuple[str, ...], ran: Mapping[str, Record]) -> str:
    """Whether a promise holds: only when every case of each of its tests passed."""
    failed = [f"{code(_function(name))}: {cell(record.failure)}" for name, record in ran.items() if record.failure]
    if failed:
        return "**does not hold**: " + "; ".join(failed)
    if not tests:
        return "**not shown**: " + (promise.gap or "no test")
    missing = [_missing(name, ran.get(name)) for name in tests]
    not_run = [each for each in missing if each]
    if len(not_run) == len(tests) and not any(record.passed for record in ran.values()):
        return "**not run**"
    state = "holds" if not not_run else "**holds in part**; not run: " + ", ".join(not_run)
    return f"{state}. **Does not hold**: {promise.gap}" if promise.gap else state


def _missing(name: str, record: Record | None) -> str:
    if record is None:
        return code(_function(name))
    if record.passed == record.cases:
        return ""
    reason = f" ({cell(record.skipped)})" if record.skipped else ""
    return f"{record.cases - record.passed} of {record.cases} cases of {code(_function(name))}{reason}"


def _figures(records: Iterable[Record]) -> list[str]:
    found = list(records)
    passed, cases = (sum(getattr(record, name) for record in found) for name in ("passed", "cases"))
    stated = dict.fromkeys(cell(figure) for record in found for figure in record.figures)
    return [*stated, f"{passed:,} of {cases:,} cases passed"] if found else []


def _names(tests: tuple[str, ...]) -> list[str]:
    files: dict[str, list[str]] = {}
    for name in tests:
        files.setdefault(f"{TESTS.name}/{name.partition('::')[0]}", []).append(_function(name))
    few = 4
    return [
        f"{code(file)}: " + (", ".join(map(code, names)) if len(names) <= few else f"{len(names)} tests")
        for file, names in files.items()
    ]


def _function(name: str) -> str:
    return name.partition("::")[2]
