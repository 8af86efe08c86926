"""How a long computation reports its progress.

Here: the callback's type and the one that does nothing. Not here: bars on a terminal (``cli.output``).
"""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the name of a phase and the share of it that is done, 0 to 1."""


def no_progress(_phase: str, _done: float) -> None:
    """Report nothing."""
