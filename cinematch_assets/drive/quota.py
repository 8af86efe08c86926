"""Staying within what Google allows.

Here: counting requests over a minute, and everybody's pause when Google says it is too much. Not here: requests.
"""

import threading
import time
from collections import deque

REQUESTS_A_MINUTE = 10_800
"""Nine tenths of the 12,000 queries per minute and user that Drive has long allowed."""


class Quota:
    """At most ``requests`` in any ``window_s``, over all threads; bursts within that are free."""

    def __init__(self, requests: int = REQUESTS_A_MINUTE, window_s: float = 60.0) -> None:
        self._window_s = window_s
        self._starts: deque[float] = deque(maxlen=requests)
        self._held_until = 0.0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for this request's turn."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._held_until)
            if len(self._starts) == self._starts.maxlen:
                start = max(start, self._starts[0] + self._window_s)
            self._starts.append(start)
        if start > now:
            time.sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Let nobody start before ``seconds`` have passed: Google has said that it is too much."""
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)
