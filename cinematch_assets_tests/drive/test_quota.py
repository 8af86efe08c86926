import threading
import time
from types import SimpleNamespace

import pytest

from cinematch_assets.drive import quota as module
from cinematch_assets.drive.quota import Quota


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def test_no_window_has_more_requests_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, quota, starts = Clock(monkeypatch), Quota(requests=10, window_s=60), []
    for number in range(100):
        quota.take()
        starts.append(clock.now)
        clock.now += number % 7
    assert all(later - earlier >= 60 for earlier, later in zip(starts, starts[10:], strict=False))


def test_a_burst_within_the_quota_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, quota = Clock(monkeypatch), Quota()
    for _ in range(10_800):
        quota.take()
    assert clock.now == 1000.0
    quota.take()
    assert clock.now == 1060.0


def test_a_hold_is_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, quota = Clock(monkeypatch), Quota()
    quota.hold(30)
    quota.hold(5)
    quota.take()
    assert clock.now == 1030.0


def test_threads_share_one_quota() -> None:
    quota = Quota(requests=20, window_s=0.5)
    started = time.monotonic()
    threads = [threading.Thread(target=lambda: [quota.take() for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.5
