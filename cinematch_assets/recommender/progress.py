"""Progress and logging of long fits.

Here: the callback that a fit reports its progress to, and log lines with the time of each phase. Not here: a progress
bar on a terminal (``cli.output``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]
"""Called with a phase's name and the share of it that is done, 0 to 1."""


def no_progress(_phase: str, _share: float) -> None:
    """No-op progress callback."""


@contextmanager
def log_phase(logger: logging.Logger, message: str, *values: object) -> Iterator[None]:
    """Log at INFO that a phase begins and, unless it fails, how long it took; ``message % values`` names it."""
    logger.info(message, *values)
    start = time.perf_counter()
    yield
    logger.info("%s: done in %.1f s", message % values, time.perf_counter() - start)
