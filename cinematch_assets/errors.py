"""The base class of errors whose messages are for people.

Here: ``CinematchError`` and its one division. Not here: the errors themselves, which live with the code that raises
them.
"""

from cinematch_assets.visible_text import visible


class CinematchError(Exception):
    """A permanent fault in input, settings or state; the message is one sentence naming what to look at.

    The command prints it without a traceback and exits with 1; an asset fails with it and is not retried. It may repeat
    names and headers from files, whose control characters would steer the terminal that shows a log.
    """

    def __str__(self) -> str:
        """Return the message with the number of each character that steers a terminal or hides text."""
        return visible(super().__str__())


class SurroundingsError(CinematchError):
    """A fault of disk, network, server or permissions: the same work may succeed later as it is."""
