"""The test servers: right version, nothing shared between tests, nothing left running."""

import os
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from selenium.webdriver.support.wait import WebDriverWait

from cinematch_assets_tests.support.servers import Postgres, short_folder

ROOT = Path(__file__).resolve().parents[2]

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def test_each_server_is_of_its_version(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        assert connection.info.server_version // 10_000 == postgres.version


def test_a_database_starts_migrated_and_is_dropped_afterwards(postgres18: Postgres, database_url_18: str) -> None:
    with psycopg.connect(database_url_18) as connection:
        assert connection.execute("SELECT count(*) FROM ratings").fetchone() == (0,)
    with postgres18.database() as url:
        pass
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_copy_keeps_the_analyst_from_temporary_tables(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE analyst")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TEMP TABLE t (n int)")


def test_the_pooler_assigns_sessions_by_transaction(pooled_database_url: str) -> None:
    with (
        psycopg.connect(pooled_database_url, autocommit=True, prepare_threshold=None) as first,
        psycopg.connect(pooled_database_url, autocommit=True, prepare_threshold=None) as second,
    ):
        pids = {c.execute("SELECT pg_backend_pid()").fetchone() for c in (first, second)}
    assert len(pids) == 1


def test_aws_is_empty_for_each_test(aws: str) -> None:
    import boto3

    s3 = boto3.client("s3")
    assert s3.list_buckets()["Buckets"] == []
    s3.create_bucket(Bucket="movies", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert urllib.request.urlopen(aws).status == 200  # noqa: S310 - 127.0.0.1


@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_finds_no_variable_of_the_one_before(turn: int) -> None:
    assert "CINEMATCH_OF_A_TEST" not in os.environ
    os.environ["CINEMATCH_OF_A_TEST"] = str(turn)


@pytest.mark.browser
@pytest.mark.parametrize("turn", [1, 2])
def test_a_browser_test_finds_nothing_of_the_one_before(browser: "Chrome", turn: int) -> None:
    assert (browser.current_url, browser.get_log("browser")) == ("about:blank", [])
    browser.get("data:text/html,<script>setInterval(() => console.error('noise'), 1)</script>")
    assert WebDriverWait(browser, 5).until(lambda driver: driver.get_log("browser"))


@pytest.mark.browser
def test_the_browser_opens_a_page(browser: "Chrome") -> None:
    browser.get("data:text/html,<title>four stars</title>")
    assert browser.title == "four stars"


_SESSION = """
    from contextlib import ExitStack
    from cinematch_assets_tests.support import servers
    with ExitStack() as stack:
        stack.enter_context(servers.postgres18())
        if servers._postgres15_programs():
            stack.enter_context(servers.postgres15())
        print("started", flush=True)
        {end}
"""


@pytest.mark.parametrize("end", ["raise SystemExit", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"])
def test_no_server_outlives_its_session(end: str) -> None:
    code = textwrap.dedent(_SESSION).format(end=end)
    with short_folder() as folder:
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", code]
        session = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, cwd=ROOT)
        assert session.stdout == "started\n", session.stderr
        assert list(folder.glob("cm-*")) == []
        assert not [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())]
