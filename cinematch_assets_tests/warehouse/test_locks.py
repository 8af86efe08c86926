import logging
import threading
import time

import psycopg
import pytest

from cinematch_assets.warehouse import locks
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.locks import lock, lock_batch


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
