"""Why work failed: its content, its surroundings, or a bug. Attempts are counted by this alone.

Here: the one classification, by class, errno and SQLSTATE. Not here: what is done about it (``attempts``), messages for
people, which the errors themselves carry.
"""

import errno
from collections.abc import Iterator
from enum import StrEnum

from cinematch_assets.errors import CinematchError, SurroundingsError


class Cause(StrEnum):
    """What has to change before the same work can succeed."""

    CONTENT = "content"
    """The file or the data: the same content fails again."""
    SURROUNDINGS = "surroundings"
    """Disk, network, server, permissions, a kill: waiting may be enough."""
    BUG = "bug"
    """An error that no one foresaw: worth few more attempts, and a look at the log."""


_ERRNOS = {
    getattr(errno, name)
    for name in [
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "EACCES",
        "EPERM",
        "EIO",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "ENODEV",
        "ENXIO",
        "ESTALE",
        "ETXTBSY",
        "EBUSY",
        "EAGAIN",
        "ELOOP",
        "ECONNREFUSED",
        "ECONNRESET",
        "ECONNABORTED",
        "EPIPE",
        "ETIMEDOUT",
        "ENETDOWN",
        "ENETUNREACH",
        "ENETRESET",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EADDRNOTAVAIL",
        "ENOTCONN",
    ]
}
_SQLSTATES = ("08", "28", "3D", "40", "42501", "53", "55", "57", "58", "25006", "XX000")
"""Connection, sign-in, no database, serialization or deadlock, privilege, resources, locks, shutdown, disk, read-only,
internal error of the server (PostgreSQL 18, appendix A)."""
_LIBRARIES = {"requests", "urllib3", "botocore", "http", "socket", "ssl", "httplib2", "google"}
_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}


def cause_of(error: BaseException) -> Cause:
    """Classify an error by itself and everything that it was raised from."""
    chain = list(_chain(error))
    if any(_is_of_the_surroundings(each) for each in chain):
        return Cause.SURROUNDINGS
    if any(isinstance(each, CinematchError) for each in chain):
        return Cause.CONTENT
    return Cause.BUG


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_of_the_surroundings(error: BaseException) -> bool:
    if isinstance(error, SurroundingsError | ConnectionError | TimeoutError | MemoryError):
        return True
    if type(error).__name__ in _INTERRUPTS:
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    library = type(error).__module__.partition(".")[0]
    if library in {"psycopg", "adbc_driver_manager", "sqlalchemy", "psycopg2"}:
        return _is_of_the_server(error)
    return library in _LIBRARIES


def _is_of_the_server(error: BaseException) -> bool:
    """A database error: by SQLSTATE where there is one; without one, an operational error is a lost connection."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state:
        return str(state).startswith(_SQLSTATES)
    return type(error).__name__ in {"OperationalError", "InterfaceError"}
