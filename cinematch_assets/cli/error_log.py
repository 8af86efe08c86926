"""The log of errors that no one foresaw: a traceback an entry, found by its id.

Here: where it is, its length, what stands in an entry. Not here: the sentence for people (``fault_messages``).
"""

import logging
import os
import sys
import tempfile
import uuid
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from cinematch_assets.private_files import HomeError, make_home, make_private_folder, open_private
from cinematch_assets.urls import hide_user_info

MAX_BYTES = 1_000_000
"""Length at which the log is renamed to ``errors.log.1``, replacing the one before."""


def write_entry(error: BaseException) -> str:
    """Write the traceback and the command; return which entry of which file it is, or why there is none.

    The file is ``logs/errors.log`` under CINEMATCH_HOME, or one in the temporary directory when that cannot be written.
    Values of variables are not written, and passwords in URLs are taken out.
    """
    entry = uuid.uuid4().hex[:8]
    for find in (_in_home, _in_temporary_directory):
        try:
            path = find()
            _append(path, entry, error)
        except (OSError, HomeError) as denied:
            reason = (isinstance(denied, OSError) and denied.strerror) or str(denied)
            continue
        return f"entry {entry} of {path}"
    return f"lost, since no log can be written: {reason}"


def _append(path: Path, entry: str, error: BaseException) -> None:
    handler = _Log(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_Formatter("%(asctime)s %(message)s"))
    words = " ".join(sys.argv[1:2])  # what follows may be anyone's
    record = logging.LogRecord(
        __name__,
        logging.ERROR,
        "",
        0,
        "entry %s: cinematch %s",
        (entry, words),
        (type(error), error, error.__traceback__),
    )
    try:
        handler.emit(record)
    finally:
        handler.close()


class _Log(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        descriptor = open_private(Path(self.baseFilename), os.O_WRONLY | os.O_APPEND)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's signature
        """Raise, where logging would print a traceback."""
        raise  # noqa: PLE0704 - the error that ``emit`` handles


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return hide_user_info(super().format(record))


def _in_home() -> Path:
    home = make_home(Path(os.environ.get("CINEMATCH_HOME") or ".cinematch").resolve())
    return make_private_folder(home / "logs") / "errors.log"


def _in_temporary_directory() -> Path:
    number, path = tempfile.mkstemp(prefix="cinematch-error-", suffix=".log")
    os.close(number)
    return Path(path)
