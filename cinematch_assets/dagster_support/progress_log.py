"""Progress of long phases in a run's log.

Here: how often it is logged. Not here: the phases' durations (``logs``).
"""

from collections.abc import Callable

from cinematch_assets.recommender.progress import Progress


def log_progress(log: Callable[..., None], *, step: float = 0.1) -> Progress:
    """Return a progress callback that logs the start of each phase, then once every ``step`` of it, and its end.

    Args:
        log: takes a format and its arguments, as ``context.log.info`` does.
        step: share of a phase between two lines.
    """
    logged: dict[str, float] = {}

    def progress(phase: str, done: float) -> None:
        last = logged.get(phase)
        # A share below the last one is the same phase of another model.
        if last is None or done < last or done - last >= step - 1e-9 or done >= 1.0 > last:
            logged[phase] = done
            log("%s: %.0f %%", phase, 100 * done)

    return progress
