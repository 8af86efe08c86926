"""Rate limit for requests to Google Drive.

Here: counting requests over a minute, and a pause for all threads when Google reports too many. Not here: the requests
(``drive.google_client``).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

REQUESTS_PER_MINUTE = 10_800
"""Nine tenths of the 12,000 queries per minute and user that Drive has long allowed."""

logger = logging.getLogger(__name__)


class Quota:
    """At most ``max_requests`` in any ``window_s``, over all threads; bursts within that are not delayed."""

    def __init__(
        self,
        max_requests: int = REQUESTS_PER_MINUTE,
        window_s: float = 60.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._window_s = window_s
        self._clock, self._sleep = clock, sleep
        self._starts: deque[float] = deque(maxlen=max_requests)
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Wait until one more request may start."""
        with self._lock:
            now = self._clock()
            start = max(now, self._paused_until)
            if len(self._starts) == self._starts.maxlen:
                start = max(start, self._starts[0] + self._window_s)
            self._starts.append(start)
        if start > now:
            self._sleep(start - now)

    def pause(self, wait_s: float) -> None:
        """Let no request start for ``wait_s``: Google reported too many."""
        logger.info("Google Drive asks for fewer requests: none starts for %.1f s", wait_s)
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + wait_s)
