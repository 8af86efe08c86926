import logging
import threading
import time

import psycopg
import pytest

from cinematch_assets.warehouse import locks
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.locks import lock, lock_batch


<<<<<<< HEAD
def test_a_lock_is_held_until_the_transaction_ends(url: str, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def second() -> None:
        with connect(url) as connection, connection.transaction():
            lock(connection, "registry")
            done.append("second")

    with connect(url) as first:
        with first.transaction():
            lock(first, "registry")
            other = threading.Thread(target=second)
            other.start()
            time.sleep(0.2)
            done.append("first")
        other.join(20)
    assert done == ["first", "second"]


def test_locks_of_other_names_do_not_wait(connection_18: psycopg.Connection, database_url_18: str) -> None:
    with connection_18.transaction(), connect(database_url_18) as other, other.transaction():
        other.execute("SET LOCAL lock_timeout = '1s'")
        lock_batch(connection_18, "w1")
        lock_batch(other, "w2")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            lock_batch(other, "w1")


def test_a_long_wait_is_logged_with_the_lock_s_name(
    connection_18: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "_LONG_WAIT_S", 0.0)
    with caplog.at_level(logging.INFO), connection_18.transaction():
        lock(connection_18, "registry")
    assert "for the lock registry" in caplog.text
=======
def test_a_lock_is_waited_for_and_the_wait_is_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, locks.__name__)
    with connect(url) as first, connect(url) as second:
        locked_at: list[float] = []

        def wait() -> None:
            with second.transaction():
                lock_batch(second, "w1")
                locked_at.append(time.monotonic())

        with first.transaction():
            lock_batch(first, "w1")
            waiter = threading.Thread(target=wait)
            waiter.start()
            time.sleep(1.2)
            assert locked_at == []
            released_at = time.monotonic()
        waiter.join(20)
        assert locked_at[0] >= released_at
    (record,) = caplog.records
    assert record.getMessage().endswith("s for the lock batch:w1")


def test_locks_of_other_names_do_not_wait(url: str) -> None:
    with connect(url) as first, connect(url) as second, first.transaction(), second.transaction():
        lock(first, "ratings")
        lock(second, "movies")
        second.execute("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
            lock(second, "ratings")
>>>>>>> main
