"""Log lines for the phases of a longer piece of work.

Here: a phase's begin, end and duration. Not here: where log lines go (``dagster.yaml`` for runs, ``cli`` for commands);
progress within a phase (``recommender.progress``).
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def log_phase(logger: logging.Logger, message: str, *values: object) -> Iterator[None]:
    """Log at INFO that a phase begins, and how long it took or after what time it failed.

    Args:
        logger: of the calling module.
        message: names the phase, as ``logger.info`` takes it.
        values: put into ``message`` by ``%``.
    """
    phase = message % values if values else message
    logger.info("%s", phase)
    start = time.perf_counter()
    try:
        yield
    except BaseException as error:
        logger.info("%s: ended by %s after %.1f s", phase, type(error).__name__, time.perf_counter() - start)
        raise
    logger.info("%s: done in %.1f s", phase, time.perf_counter() - start)
