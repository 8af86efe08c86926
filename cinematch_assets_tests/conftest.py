"""What every test may ask for: servers for the whole session, a database of its own for each test.

Here: fixtures that more than one package of tests uses. Not here: how a server is started (``support.servers``), or
what the tests of one package need.

========================  ===========================================================================
``database_url``          a migrated database; the test runs on Postgres 18 and again on 15
``empty_database_url``    the same without tables
``database_url_18``       a migrated database on 18 alone, where the version cannot matter
``migrated_database``     opens one on 18 for a fixture of a wider scope: ``with migrated_database() as url``
``platform``              a platform on ``database_url_18`` with an empty folder and store
``pooled_database_url``   a migrated database on 15, through PgBouncer in transaction mode
``postgres``              the server itself, 18 and again 15 (``.url``, ``.version``, ``.database()``)
``aws``                   an empty AWS at the returned address; boto3's variables point to it
``instance``              a Dagster instance in memory
``browser``               headless Chromium, driven by selenium
``figure``                states a figure for ``docs/guarantees.md``: ``figure("20 kills")``
========================  ===========================================================================
"""

import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cinematch_assets_tests.support import servers
from cinematch_assets_tests.support.servers import Postgres, migrated_template

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from selenium.webdriver import Chrome

    from cinematch_assets.pipeline.platform import Platform

# pytest-xdist tells its workers the width of its own terminal, and the console would keep it from its import on.
os.environ.pop("COLUMNS", None)

# The same examples each time: `make test` ends alike on one commit. `make test-all` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

_VARIABLES = ("CINEMATCH_", "NEON_", "DAGSTER_", "GOOGLE_", "GCP_", "AWS_", "MLFLOW_")
"""How the names of variables begin that the platform and its clients read."""

_OURS = ("CINEMATCH_", "NEON_", "DAGSTER_", "GCP_", "GOOGLE_", "AWS_", "MLFLOW_", "PG")
_KEPT = ("CINEMATCH_TEST_", "AWS_CA_BUNDLE")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """No test sees the settings, accounts or servers of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(_OURS) and not name.startswith(_KEPT):
                patch.delenv(name)
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        yield


@pytest.fixture(scope="session")
def postgres18() -> Iterator[Postgres]:
    with servers.postgres18() as server:
        yield server


@pytest.fixture(scope="session")
def postgres15() -> Iterator[Postgres]:
    with servers.postgres15() as server:
        yield server


@pytest.fixture(params=[18, 15], ids=["pg18", "pg15"])
def postgres(request: pytest.FixtureRequest) -> Postgres:
    server: Postgres = request.getfixturevalue(f"postgres{request.param}")
    return server


@pytest.fixture(autouse=True)
def _own_variables() -> Iterator[None]:
    """Variables that a test sets, or a command that it runs in this process, end with it."""
    before = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}
    yield
    for name in [name for name in os.environ if name.startswith(_VARIABLES) and name not in before]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    with postgres.database(migrated_template(postgres)) as url:
        yield url


@pytest.fixture
def database_url_18(postgres18: Postgres) -> Iterator[str]:
    with postgres18.database(migrated_template(postgres18)) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(postgres18: Postgres) -> Callable[[], AbstractContextManager[str]]:
    return lambda: postgres18.database(migrated_template(postgres18))


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> "Platform":
    from cinematch_assets_tests.support.platforms import make_platform

    return make_platform(tmp_path / "home", database_url_18)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """State a figure of a test that is marked ``faults``."""
    return lambda text: record_property("figure", text)


@pytest.fixture
def instance(tmp_path: Path) -> "Iterator[DagsterInstance]":
    from dagster import DagsterInstance

    storage = tmp_path / "instance"
    storage.mkdir()
    with DagsterInstance.ephemeral(tempdir=str(storage)) as made:
        yield made


@pytest.fixture(scope="session")
def _pooler(postgres15: Postgres) -> Iterator[str]:
    with servers.pgbouncer(postgres15) as url:
        yield url


@pytest.fixture
def pooled_database_url(postgres15: Postgres, _pooler: str) -> Iterator[str]:
    with postgres15.database(migrated_template(postgres15)) as url:
        yield servers.with_database(_pooler, url.rsplit("/", 1)[1])


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    with servers.moto() as url:
        yield url


@pytest.fixture
def aws(_moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    urllib.request.urlopen(urllib.request.Request(f"{_moto}/moto-api/reset", method="POST")).close()  # noqa: S310 - 127.0.0.1
    monkeypatch.setenv("AWS_ENDPOINT_URL", _moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return _moto


@pytest.fixture(scope="session")
def _chromium() -> Iterator["Chrome"]:
    with servers.chromium() as driver:
        yield driver


@pytest.fixture
def browser(_chromium: "Chrome") -> "Iterator[Chrome]":
    """One browser for all tests, and nothing in it of the test before: no running page, no theme, no message.

    It is empty between tests too: drawing a page that moves took a quarter of a processor for as long as tests ran.
    """
    _chromium.get("about:blank")
    _chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    _chromium.get_log("browser")
    yield _chromium
    _chromium.get("about:blank")


ATTACKS = (
    "cli/test_canaries.py", "cli/test_hostile_text.py", "cli/test_processes.py",
    "dagster_support/test_hostile_content.py", "dagster_support/test_markdown.py", "drift/test_report.py",
    "drive/test_local_folder.py", "messaging/test_channels.py", "messaging/test_message.py",
    "pipeline/models/test_export_recommendations.py", "reading/test_bombs.py", "reading/test_damaged_files.py",
    "recommender/test_artifact.py", "storage/test_opening.py", "test_private_files.py", "test_process_identity.py",
    "test_settings.py", "test_urls.py", "test_visible_text.py", "warehouse/test_embedded.py",
    "warehouse/test_locks.py", "warehouse/test_readonly_query.py", "warehouse/test_role_matrix.py",
    "warehouse/test_roles.py", "warehouse/test_server_files.py", "warehouse/test_tls.py", "webserver/test_guard.py",
)  # fmt: skip
"""Test files that attack: `make test-security` runs these (docs/security.md)."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the attacks. Start the tests that mostly wait first: at the end they would leave workers without work."""
    for item in items:
        if item.path.as_posix().endswith(ATTACKS):
            item.add_marker("security")
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)


def pytest_sessionfinish() -> None:
    """Wait for multiprocessing's own servers: they would end by themselves, but a moment after this process."""
    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """The command closes the umask of its process, here the tests' own; each test has the usual one."""
    os.umask(0o022)
    yield
    os.umask(0o022)
