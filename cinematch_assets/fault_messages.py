"""One true sentence for an error that a library or the system raised.

Here: what Postgres, the system and libraries say, in words for people. Not here: whether waiting may help (``faults``),
errors of our own, whose text is a sentence already (``errors``), where sentence and traceback go (``cli.main``,
``dagster_support.failure_cause``).
"""

import errno
import os
import re

from cinematch_assets.errors import CinematchError
from cinematch_assets.urls import hide_user_info

WRONG_URL = "the server is down, or {setting} is wrong"
MAX_LENGTH = 300

_BY_SQLSTATE = {
    "08": "the connection was lost: run it again",
    "22": "Postgres refuses a value",
    "25006": "the database is read-only for this user: wait until it takes writes again, or name its primary server",
    "28P01": "the user or the password in {setting} is wrong",
    "28": "the server does not let this user in: look at the user in {setting} and at the server's pg_hba.conf",
    "3D": "look at the database in {setting}",
    "40": "other transactions were in the way: run it again",
    "42501": "the user in {setting} lacks a right: cinematch migrate, run as the owner, grants it",
    "53100": "the server's disk is full",
    "53200": "the server has no memory left: run it again later",
    "53300": "the server has no connection left: close other programs, raise its limit, or wait",
    "53": "the server lacks resources: run it again later",
    "55P03": "another session holds a lock on the table: run it again",
    "57014": "the statement was cancelled",
    "57P03": "the server is starting or stopping: run it again in a moment",
    "57P": "the server ended the connection, as when it is stopped or started again: run it again",
    "58": "the server cannot read or write its files: its log says why",
    "XX": "an error inside the server: its log says why",
}
"""Advice by the longest beginning of an SQLSTATE that fits (PostgreSQL 18, appendix A)."""
_REFUSED_AT_SIGN_IN = (
    (r"password authentication failed|no password supplied|SASL|SCRAM", "28P01"),
    (r"database .* does not exist|no such database", "3D000"),
    (r"role .* does not exist|pg_hba\.conf|no such user|authentication failed|not permitted to log in", "28000"),
    (r"too many (clients|connections)|remaining connection slots|no more connections|max_client_conn", "53300"),
    (r"starting up|shutting down|in recovery|not (currently )?accepting connections|query_wait_timeout", "57P03"),
    (r"permission denied", "42501"),
    (r"No space left|size limit", "53100"),
)
"""A refused sign-in comes without its SQLSTATE (libpq has no result for it), so that its text has to tell."""
_TLS = re.compile(r"\bSSL\b|\bTLS\b|certificate", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"refused|No such file|could not translate|failed to resolve|No route|unreachable|time(d |)out|Name or service"
)

_BY_ERRNO = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "there is no such file or folder",
    errno.EISDIR: "it is a folder, and a file was expected",
    errno.ENOTDIR: "a part of the path is a file, and a folder was expected",
    errno.EEXIST: "it exists already",
    errno.ELOOP: "it is a link where none is followed, or links lead in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the system has too many files open",
    errno.EIO: "the device reports an error",
    errno.ECONNREFUSED: "nothing answers at the address",
    errno.EADDRINUSE: "the address is in use",
}
_LIBRARIES = {
    "pyarrow": "a Parquet file or Arrow data cannot be used",
    "pandas": "data cannot be read as a table",
    "pandera": "data do not have the declared shape",
    "boto3": "AWS",
    "botocore": "AWS",
    "s3transfer": "AWS",
    "google": "Google",
    "googleapiclient": "Google",
    "google_auth_oauthlib": "Google",
    "oauthlib": "Google",
    "httplib2": "Google",
    "requests": "the network",
    "urllib3": "the network",
    "http": "the network",
    "ssl": "the network",
    "sqlalchemy": "Dagster's database",
    "psycopg": "the database",
    "psycopg2": "Dagster's database",
    "adbc_driver_manager": "the database",
    "json": "a file is not valid JSON",
    "gzip": "a compressed file is damaged",
    "zlib": "a compressed file is damaged",
    "zipfile": "a compressed file is damaged",
    "dagster": "Dagster",
    "dagster_shared": "Dagster",
}
"""What the subject is, by the top module of an error's class."""
_DATABASES = {"psycopg", "psycopg2", "sqlalchemy", "adbc_driver_manager"}
_PROGRAMMING = ("42", "26", "34", "2F", "0A")
"""Statements that Postgres does not understand: our bugs, but for a missing right."""


def message_of(error: BaseException) -> str | None:
    """Return one sentence for an error that we or a library raised; None for a bug of our own.

    The outermost that says something counts, of those that it was raised ``from``: an error that only came up while
    another one was handled is one of its own.
    """
    seen: BaseException | None = error
    while seen is not None:
        if sentence := _sentence(seen):
            return sentence
        seen = seen.__cause__
    return None


def server_message(text: str, sqlstate: str | None, setting: str) -> str:
    """Return what a Postgres server or its driver said, and what to do about it.

    ``setting`` names the variable with the server's URL. That the server is down is said only when nothing answered.
    """
    said = _first_line(text.rsplit(" failed: ", 1)[-1])
    state = sqlstate or _state_of(said)
    if state is None:
        if "certificate" in said.lower():
            advice = f"sslrootcert has to name the CA that signed the server's certificate, and {setting} its host"
        elif _TLS.search(said):
            advice = f"the server and sslmode of {setting} do not agree on TLS"
        elif _UNREACHABLE.search(said):
            advice = WRONG_URL.format(setting=setting)
        else:
            advice = "the connection was lost: run it again"
        return f"{said or 'no answer'} ({advice})"
    advice = next((_BY_SQLSTATE[state[:size]] for size in range(5, 1, -1) if state[:size] in _BY_SQLSTATE), "")
    words = advice.format(setting=setting) or f"sqlstate {state}"
    return f"{said} ({words})" if said else words


def is_starting(text: str) -> bool:
    """Whether a server said that it is starting, or stopping, so that it may be there in a moment."""
    return _state_of(_first_line(text.rsplit(" failed: ", 1)[-1])) == "57P03"


def _state_of(said: str) -> str | None:
    return next((state for words, state in _REFUSED_AT_SIGN_IN if re.search(words, said)), None)


def _sentence(error: BaseException) -> str | None:
    if isinstance(error, CinematchError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the memory is used up: close other programs, or take less data"
    library = type(error).__module__.partition(".")[0]
    if library in _DATABASES:
        return _of_a_database(error, library)
    if isinstance(error, OSError) and error.errno is not None and library in {"builtins", "socket", "shutil"}:
        return _of_the_system(error)
    if isinstance(error, RecursionError | UnicodeError):
        return None if _is_raised_by_us(error) else f"a file or an argument cannot be read: {_plain(error)}"
    subject = _LIBRARIES.get(library)
    return f"{subject}: {_plain(error)}" if subject else None


def _of_the_system(error: OSError) -> str:
    reason = _BY_ERRNO.get(error.errno or 0) or (error.strerror or "the system refuses it")
    return f"{os.fsdecode(error.filename)}: {reason}" if isinstance(error.filename, str | bytes) else reason


def _of_a_database(error: BaseException, library: str) -> str | None:
    origin = getattr(error, "orig", None) or error
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    if state and state != "42501" and str(state).startswith(_PROGRAMMING):
        return None
    if state is None and type(origin).__name__ not in {"OperationalError", "InterfaceError", "DatabaseError"}:
        return None
    setting = "DAGSTER_POSTGRES_URL" if library in {"sqlalchemy", "psycopg2"} else "CINEMATCH_DATABASE_URL"
    return f"{_LIBRARIES[library]}: {server_message(hide_user_info(str(origin)), state, setting)}"


def _is_raised_by_us(error: BaseException) -> bool:
    """Whether the innermost frame is of this package."""
    trace, package = error.__traceback__, __name__.partition(".")[0]
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == package


def _plain(error: BaseException) -> str:
    return hide_user_info(_first_line(str(error)) or type(error).__name__)[:MAX_LENGTH]


def _first_line(text: str) -> str:
    """The first line, since the next ones are hints and details, without the severity before it."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return re.sub(r"^(FATAL|ERROR|PANIC):\s*", "", line)
