import threading
import time

from cinematch_assets.drive.quota import Quota


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def make_quota(clock: Clock, **limits: float) -> Quota:
    return Quota(**limits, clock=clock.read, sleep=clock.sleep)


def test_no_window_has_more_requests_than_allowed() -> None:
    clock, starts = Clock(), []
    quota = make_quota(clock, max_requests=10, window_s=60)
    for number in range(100):
        quota.acquire()
        starts.append(clock.now)
        clock.now += number % 7
    assert all(later - earlier >= 60 for earlier, later in zip(starts, starts[10:], strict=False))


def test_a_burst_within_the_quota_is_not_delayed() -> None:
    clock = Clock()
    quota = make_quota(clock)
    for _ in range(10_800):
        quota.acquire()
    assert clock.now == 1000.0
    quota.acquire()
    assert clock.now == 1060.0


def test_the_longest_pause_delays_the_next_request() -> None:
    clock = Clock()
    quota = make_quota(clock)
    quota.pause(30)
    quota.pause(5)
    quota.acquire()
    assert clock.now == 1030.0


def test_threads_share_one_quota() -> None:
    quota = Quota(max_requests=20, window_s=0.5)
    started = time.monotonic()
    threads = [threading.Thread(target=lambda: [quota.acquire() for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.5
