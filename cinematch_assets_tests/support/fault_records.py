"""A plugin of pytest that writes down what tests marked ``faults`` found: ``make test-faults`` loads it with ``-p``.

Here: collecting the outcomes and figures of a run. Not here: the records and the page (``docs.guarantees``), the
fixture by which a test states a figure (``conftest``).
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from docs.guarantees import MARKER, PAGE, RECORDS, TESTS, Case, Record, marked_tests, page, read_records, write_records

_CASES, FIGURE = "faults cases", "figure"
_PREFIX = f"{TESTS.name}/"
_MAX_MESSAGE = 200


def function_of(nodeid: str) -> str:
    """The test function of a case, as the records name it."""
    return nodeid.partition("[")[0].removeprefix(_PREFIX)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count the cases of each function before ``-k`` and ``-m`` take some away."""
    cases = Counter(function_of(item.nodeid) for item in items)
    for item in items:
        if item.get_closest_marker(MARKER):
            item.user_properties.append((_CASES, cases[function_of(item.nodeid)]))


class Recorder:
    """The reports of a run, and the records that they make."""

    def __init__(self, records: Path = RECORDS) -> None:
        self._path = records
        self._reports: dict[str, list[pytest.TestReport]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test that is marked reports; it comes here from the workers as well."""
        if _CASES in dict(report.user_properties) and (report.when == "call" or not report.passed):
            self._reports.setdefault(report.nodeid, []).append(report)

    def records(self) -> dict[str, Record]:
        """What was found, by function."""
        today = datetime.now(UTC).date().isoformat()
        found: dict[str, Record] = {}
        for nodeid in sorted(self._reports):
            reports = self._reports[nodeid]
            name, case = function_of(nodeid), nodeid.partition("[")[2].removesuffix("]")
            runs = dict(found[name].runs) if name in found else {}
            found[name] = Record(dict(reports[0].user_properties)[_CASES], {**runs, case: _case(reports, today)})
        return found

    def pytest_sessionfinish(self) -> None:
        """Write records and page; what did not run keeps its record, tests that are gone leave."""
        known = {name for names in marked_tests().values() for name in names}
        kept = {name: record for name, record in read_records(self._path).items() if name in known}
        found = {name: kept[name].renew(record) if name in kept else record for name, record in self.records().items()}
        write_records(kept | found, self._path)
        if self._path == RECORDS:
            PAGE.write_text(page(), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that sees every report, not in xdist's workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def _case(reports: list[pytest.TestReport], today: str) -> Case:
    return Case(
        date=today,
        failure=next((_message(report) for report in reports if report.failed), ""),
        skipped=next((_reason(report) for report in reports if report.skipped), ""),
        figures=tuple(
            dict.fromkeys(str(value) for report in reports for name, value in report.user_properties if name == FIGURE)
        ),
    )


def _message(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash else report.longrepr).splitlines()
    return next((line.strip() for line in lines if line.strip()), "failed")[:_MAX_MESSAGE]


def _reason(report: pytest.TestReport) -> str:
    found = report.longrepr
    return str(found[2] if isinstance(found, tuple) else found).removeprefix("Skipped: ")[:_MAX_MESSAGE]
