"""``docs/guarantees.md``: what is promised, which tests show it, and what their last run found."""

from pathlib import Path

import pytest

from cinematch_assets_tests.support.fault_records import Recorder, function_of
from docs.guarantees import TESTS, Case, Record, cell_of_state, marked_tests, page, read_records, render, write_records
from docs.promises import PROMISES, Promise

KEYS = [promise.key for promises in PROMISES.values() for promise in promises]
TEXT = "Rows are never lost"
FIRST, SECOND = "a/test_a.py::test_one", "a/test_a.py::test_two"


def state(*, gap: str = "", tests: tuple[str, ...] = (FIRST,), **ran: Record) -> str:
    names = {"one": FIRST, "two": SECOND}
    return cell_of_state(Promise("rows", TEXT, gap), tests, {names[name]: record for name, record in ran.items()})


def given(cases: int, *, passed: int, date: str = "2026-11-27", failure: str = "", skipped: str = "") -> Record:
    runs = {f"{number}": Case(date) for number in range(passed)}
    if failure or skipped:
        runs["other"] = Case(date, failure, skipped)
    return Record(cases, runs)


def test_each_promise_is_on_the_page_once() -> None:
    assert len(KEYS) == len(set(KEYS))
    text = page()
    for promises in PROMISES.values():
        for promise in promises:
            assert text.count(f"| {promise.text} |") == 1


def test_what_markers_name_is_promised_and_what_is_promised_has_a_test_or_says_why_not() -> None:
    assert set(marked_tests()) - set(KEYS) == set()
    unshown = [each.key for promises in PROMISES.values() for each in promises if not each.gap]
    assert set(unshown) - set(marked_tests()) == set()


def test_each_test_that_the_page_names_exists() -> None:
    text = page()
    for name in (name for names in marked_tests().values() for name in names):
        file, _, function = name.partition("::")
        assert f"\ndef {function}(" in (TESTS / file).read_text(encoding="utf-8"), name
        assert f"`{TESTS.name}/{file}`" in text


def test_a_promise_holds_when_every_case_of_each_test_passed() -> None:
    assert state(one=given(3, passed=3)) == "holds"


def test_a_failure_a_gap_and_what_was_not_run_stand_there() -> None:
    passed = given(3, passed=3)
    failed = given(3, passed=2, failure="assert 1 == 2 | x")
    assert state(one=failed) == r"**does not hold**: `test_one`: assert 1 == 2 \| x"
    assert state(one=passed, tests=(FIRST, SECOND)) == "**holds in part**; not run: `test_two`"
    part = state(one=given(3, passed=2, skipped="no pgbouncer"))
    assert part == "**holds in part**; not run: 1 of 3 cases of `test_one` (no pgbouncer)"
    assert state(one=passed, gap="on Mars") == "holds. **Does not hold**: on Mars"
    assert state() == "**not run**"
    assert state(one=given(1, passed=0, skipped="no disk")) == "**not run**"
    assert state(tests=()) == "**not shown**: no test"
    assert state(tests=(), gap="no disk") == "**not shown**: no disk"


def test_a_line_has_the_oldest_date_and_all_figures() -> None:
    runs = {"a": Case("2026-11-27", figures=("20 kills",)), "b": Case("2026-11-27")}
    records = {FIRST: Record(2, runs), SECOND: given(1, passed=1, date="2026-10-01")}
    text = render({"Rows": [Promise("rows", TEXT)]}, {"rows": (FIRST, SECOND)}, records)
    assert text.splitlines()[-1] == (
        f"| {TEXT} | holds | 2026-10-01 | 20 kills<br>3 of 3 cases passed "
        "| `cinematch_assets_tests/a/test_a.py`: `test_one`, `test_two` |"
    )


def report(case: str, outcome: str, *, figure: str = "", when: str = "call") -> pytest.TestReport:
    said = {"failed": "E  AssertionError: 1 row", "skipped": ("f", 1, "Skipped: no disk")}.get(outcome)
    properties = [("faults cases", 3), *([("figure", figure)] if figure else [])]
    nodeid = f"cinematch_assets_tests/warehouse/test_copy.py::test_rows[{case}]"
    return pytest.TestReport(nodeid, ("f", 1, "d"), {}, outcome, said, when, user_properties=properties)  # type: ignore[arg-type]


def test_a_run_is_recorded_by_function_with_each_case_s_worst_outcome(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "records.json")
    for each in (
        report("b", "passed", figure="2 kills"),
        report("b", "failed", when="teardown"),
        report("a", "passed", when="setup"),
        report("a", "passed", figure="1 kill"),
        report("c", "skipped", when="setup"),
    ):
        recorder.pytest_runtest_logreport(each)
    recorder.pytest_runtest_logreport(pytest.TestReport("x.py::test_y", ("f", 1, "d"), {}, "passed", None, "call"))
    ((name, record),) = recorder.records().items()
    assert name == "warehouse/test_copy.py::test_rows"
    assert (record.cases, record.passed, record.failure, record.skipped) == (
        3,
        1,
        "E  AssertionError: 1 row",
        "no disk",
    )
    assert record.figures == ("1 kill", "2 kills")


def test_a_partial_run_renews_what_ran_and_drops_what_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    kept = next(name for names in marked_tests().values() for name in names)
    old = given(1, passed=1, date="2026-10-01")
    write_records({kept: old, "gone/test_gone.py::test_gone": old}, path)
    recorder = Recorder(path)
    recorder.pytest_runtest_logreport(report("a", "passed"))
    recorder.pytest_sessionfinish()
    found = read_records(path)
    assert found[kept] == old
    assert set(found) == {kept, "warehouse/test_copy.py::test_rows"}


def test_a_run_of_some_cases_keeps_what_the_others_found_and_no_more_than_there_are() -> None:
    old = Record(4, {name: Case(f"2026-10-0{day}") for day, name in enumerate(("gone", "a", "b", "c"), 1)})
    new = Record(3, {"b": Case("2026-11-27", failure="E 1")})
    renewed = old.renew(new)
    assert renewed.runs == {"a": old.runs["a"], "b": new.runs["b"], "c": old.runs["c"]}
    assert (renewed.cases, renewed.passed, renewed.failure) == (3, 2, "E 1")
    assert Record(3, {"b": new.runs["b"]}).renew(Record(1, {"": Case("2026-11-28")})).runs == {"": Case("2026-11-28")}


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    runs = {
        "": Case("2026-11-27"),
        "a b": Case("2026-11-27", "é", "", ("1 | 2",)),
        "c": Case("2026-11-27", "", "no disk"),
    }
    write_records({FIRST: Record(3, runs), SECOND: Record(1, {"": Case("2026-11-27")})}, path)
    assert read_records(path) == {FIRST: Record(3, runs), SECOND: Record(1, {"": Case("2026-11-27")})}


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("cinematch_assets_tests/test_a.py::test_b[x[1]-::y]", "test_a.py::test_b"),
        ("test_a.py::test_b", "test_a.py::test_b"),
    ],
)
def test_a_case_belongs_to_its_function(nodeid: str, name: str) -> None:
    assert function_of(nodeid) == name
