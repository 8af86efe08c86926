"""Log lines for the phases of a longer piece of work.

Here: one line a phase, with its duration. Not here: where log lines go (``dagster.yaml`` for runs, ``cli`` for
commands); progress within a phase (``dagster_support.progress``).
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def log_phase(logger: logging.Logger, phase: str) -> Iterator[None]:
    """Log, at INFO, how long the body took; an exception is logged as the end of the phase and goes on."""
    started = time.monotonic()
    try:
        yield
    except BaseException as error:
        logger.info("%s: ended by %s after %.1f s", phase, type(error).__name__, time.monotonic() - started)
        raise
    logger.info("%s: %.1f s", phase, time.monotonic() - started)
