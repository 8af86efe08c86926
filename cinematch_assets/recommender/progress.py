"""Progress of long fits.

Here: the callback that a fit reports its progress to. Not here: log lines of phases (``logs``), a progress bar on a
terminal (``cli.output``).
"""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a phase's name and the share of it that is done, 0 to 1."""


def no_progress(_phase: str, _share: float) -> None:
    """No-op progress callback."""
