import time
from collections.abc import Callable

import psycopg
import pytest

from cinematch_assets.urls import InvalidUrlError
from cinematch_assets.warehouse import connection as connection_module
from cinematch_assets.warehouse.connection import (
    UnsafeConnectionError,
    WarehouseUnavailableError,
    connect,
    describe,
    require_tls,
    translate_errors,
)
from cinematch_assets_tests.support.servers import Postgres
from cinematch_assets_tests.support.waking_server import waking_server

SECRET = "s3cret"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://owner:{SECRET}@ep-a.eu-central-1.aws.neon.tech/neondb",
        f"postgresql://owner:{SECRET}@ep-a.eu-central-1.aws.neon.tech/neondb?sslmode=prefer",
        f"postgresql://owner:{SECRET}@10.0.0.7/db?sslmode=disable",
        f"postgresql://owner:{SECRET}@localhost,10.0.0.7/db",
        f"postgresql://owner:{SECRET}@localhost/db?hostaddr=10.0.0.7",
        f"postgresql://owner:{SECRET}@127.example.com/db",
        f"host=db.example.com user=owner password={SECRET}",
        "postgresql:///db?service=elsewhere",
    ],
)
def test_a_host_elsewhere_without_tls_is_refused_and_the_setting_named(url: str) -> None:
    with pytest.raises(UnsafeConnectionError, match=r"sslmode=require to CINEMATCH_DATABASE_URL") as refused:
        require_tls(url)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner@ep-a.eu-central-1.aws.neon.tech/neondb?sslmode=require",
        "postgresql://owner@10.0.0.7/db?sslmode=verify-full",
        "postgresql://owner@localhost/db",
        "postgresql://owner@127.0.0.1:5433/db",
        "postgresql://owner@[::1]/db",
        "postgresql://owner@/db?host=/tmp/socket",
        "postgresql:///db",
    ],
)
def test_this_machine_or_tls_is_fine(url: str) -> None:
    require_tls(url)


@pytest.mark.parametrize(("name", "value"), [("PGHOST", "10.0.0.7"), ("PGHOSTADDR", "10.0.0.7"), ("PGSERVICE", "far")])
def test_a_host_from_libpq_s_own_variables_counts(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UnsafeConnectionError):
        require_tls("postgresql:///db")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    require_tls("postgresql:///db")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://owner:%zz{SECRET}@localhost/db",
        f"postgresql://owner:x@{SECRET}@localhost/db",
        f"postgresql://owner:{SECRET}/x@localhost/db?sslmode=require",
        SECRET,
        f"host=localhost password='{SECRET}",
    ],
)
def test_an_unreadable_url_is_not_repeated(url: str) -> None:
    with pytest.raises(InvalidUrlError, match="CINEMATCH_DATABASE_URL is not postgresql://") as refused:
        require_tls(url)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_description_has_neither_user_nor_password() -> None:
    assert describe(f"postgresql://owner:{SECRET}@127.0.0.1:5433/movies") == "127.0.0.1:5433/movies"


def test_a_server_that_is_down_is_named_with_the_setting_and_without_the_password() -> None:
    with (
        pytest.raises(
            WarehouseUnavailableError, match=r"127\.0\.0\.1:1/movies: Connection refused .*DATABASE_URL"
        ) as down,
        connect(f"postgresql://owner:{SECRET}@127.0.0.1:1/movies"),
    ):
        pass
    assert SECRET not in str(down.value)
    assert "\n" not in str(down.value)


def test_a_database_that_is_not_there_is_named(postgres18: Postgres) -> None:
    url = postgres18.url_of("nosuch")
    with pytest.raises(WarehouseUnavailableError, match='"nosuch" does not exist'), connect(url):
        pass


@pytest.mark.faults("sessions")
def test_a_connection_that_breaks_is_one_sentence(url: str) -> None:
    with pytest.raises(WarehouseUnavailableError, match="nothing was changed"):
        break_in_the_middle(url)


def break_in_the_middle(url: str) -> None:
    with connect(url) as connection, connect(url) as other, connection.transaction():
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()
        other.execute("SELECT pg_terminate_backend(%s)", pid)
        connection.execute("SELECT 1")


def test_a_lock_that_others_hold_is_one_sentence(url: str) -> None:
    with pytest.raises(WarehouseUnavailableError, match="another session holds a lock"):
        wait_for_a_lock(url)


def wait_for_a_lock(url: str) -> None:
    with connect(url) as holder, connect(url) as waiter, holder.transaction(), waiter.transaction():
        holder.execute("LOCK TABLE ratings IN ACCESS EXCLUSIVE MODE")
        waiter.execute("SET LOCAL lock_timeout = '50ms'")
        waiter.execute("SELECT count(*) FROM ratings")


def test_a_deadlock_does_not_blame_the_url() -> None:
    expected = pytest.raises(WarehouseUnavailableError, match=r"deadlock detected .*run it again")
    with expected as error, translate_errors("postgresql://127.0.0.1/movies"):
        raise psycopg.errors.DeadlockDetected("deadlock detected")
    assert "CINEMATCH_DATABASE_URL" not in str(error.value)


def test_a_full_disk_is_one_sentence() -> None:
    expected = pytest.raises(WarehouseUnavailableError, match=r"disk is full\); nothing was changed")
    with expected, translate_errors("postgresql://127.0.0.1/movies"):
        raise psycopg.errors.DiskFull("could not extend file")


def test_nothing_of_a_connection_outlives_its_transaction(pooled_database_url: str) -> None:
    # Through the pooler, 200 transactions on four sessions, each as if it were the first.
    with connect(pooled_database_url) as connection:
        for _ in range(200):
            connection.execute("SELECT 1 WHERE 1 = %s", [1])
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


@pytest.mark.faults("asleep")
@pytest.mark.parametrize(("refusals", "silence_s"), [(4, 0.0), (0, 3.0), (2, 1.0)])
def test_a_server_that_is_starting_or_asleep_is_waited_for(
    url: str, refusals: int, silence_s: float, figure: Callable[[str], None]
) -> None:
    with waking_server(url, refusals=refusals, silence_s=silence_s) as (reached, contacts):
        begun = time.monotonic()
        with connect(reached) as connection:
            assert connection.execute("SELECT count(*) FROM ratings").fetchone() == (0,)
        assert time.monotonic() - begun >= silence_s
        assert len(contacts) == refusals + 1
    figure(f"{refusals} refusals and {silence_s:.0f} s of silence at first contact were waited out")


@pytest.mark.faults("asleep")
def test_one_that_goes_on_starting_is_one_sentence(database_url_18: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STARTING_S", 0.5)
    with waking_server(database_url_18, refusals=1_000) as (reached, contacts):
        expected = pytest.raises(WarehouseUnavailableError, match="starting or stopping: run it again")
        with expected as said, connect(reached):
            pass
        assert "\n" not in str(said.value)
        assert len(contacts) > 1
