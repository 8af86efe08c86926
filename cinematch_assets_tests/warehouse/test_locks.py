import logging
import threading
import time

import pytest

from cinematch_assets.warehouse import locks
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.locks import LockHeldError, lock, lock_batch


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


def test_a_lock_that_the_analyst_keeps_ends_in_a_sentence_that_names_the_session(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TIMEOUT_S", 0.2)
    with connect(url) as pipeline, connect(url, user="analyst", application="a notebook") as analyst:
        with analyst.transaction():
            analyst.execute("SELECT pg_advisory_xact_lock(hashtextextended('ratings', 0))")
            (pid,) = analyst.execute("SELECT pg_backend_pid()").fetchone() or ()
            expected = rf"'a notebook' of user analyst \(process {pid} .*terminate_backend"
            with pytest.raises(LockHeldError, match=expected), pipeline.transaction():
                lock(pipeline, "ratings")
        with pipeline.transaction():
            lock(pipeline, "ratings")
