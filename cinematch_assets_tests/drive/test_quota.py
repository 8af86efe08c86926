import threading
import time

from cinematch_assets.drive.quota import Quota


def test_no_window_has_more_requests_than_allowed() -> None:
    quota, starts, lock = Quota(requests=10, window_s=0.2), [], threading.Lock()

    def work() -> None:
        for _ in range(9):
            quota.take()
            with lock:
                starts.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    starts.sort()
    # Threads wake a little late, never early.
    assert all(later - earlier >= 0.18 for earlier, later in zip(starts, starts[11:], strict=False))
    assert starts[9] - starts[0] < 0.15


def test_a_hold_is_for_all() -> None:
    quota = Quota()
    quota.hold(0.2)
    started = time.monotonic()
    quota.take()
    assert time.monotonic() - started >= 0.2
