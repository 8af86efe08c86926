"""The base class of errors whose messages are for people.

Here: ``CinematchError`` and its one division. Not here: the errors themselves, which live with the code that raises
them.
"""


class CinematchError(Exception):
    """A permanent fault in input, settings or state; the message is one sentence naming what to look at.

    The command prints it without a traceback and exits with 1; an asset fails with it and is not retried.
    """


class SurroundingsError(CinematchError):
    """A fault of disk, network, server or permissions: the same work may succeed later as it is."""
