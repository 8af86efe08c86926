"""The one root of the errors that a person is meant to read.

Here: ``CinematchError``. Not here: the errors themselves, which live with the code that raises them.
"""


class CinematchError(Exception):
    """A permanent fault in input, settings or state; the message is one sentence naming what to look at.

    The command prints it without a traceback and exits with 1; an asset fails with it and is not retried.
    """
