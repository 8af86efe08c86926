"""One way to reach Postgres, directly or through a pooler.

Here: opening a connection, the TLS rule, and messages for a server's errors. Not here: queries (``statements``).
Nothing outlives a transaction (no SET, no session lock, no prepared statement), because PgBouncer in transaction mode
hands each transaction to another session.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.urls import ESCAPE, EXPECTED, InvalidUrlError

_TLS_MODES = {"require", "verify-ca", "verify-full"}
# sqlstates of a server that is not to be reached: connection exceptions, refused sign-ins, no such database, shutdown.
_GONE = ("08", "28", "3D", "57P")

_URL_EXPECTED = f"CINEMATCH_DATABASE_URL is not {EXPECTED}; {ESCAPE}"


class WarehouseUnavailableError(SurroundingsError):
    """Postgres cannot be reached, closed the connection, or its disk is full."""


class UnsafeConnectionError(CinematchError):
    """A host that is not this machine, and no TLS."""


def describe(url: str) -> str:
    """Return ``host:port/database`` of a URL, without user and password."""
    parts = _parts(url)
    return f"{parts.get('host', 'local socket')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def require_tls(url: str) -> None:
    """Refuse a host that is not local unless its connection is encrypted.

    Raises:
        InvalidUrlError: the URL cannot be read.
        UnsafeConnectionError: naming the host and the setting to change.
    """
    parts = _parts(url)
    mode = parts.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer"
    open_hosts = [host for host in _hosts(parts) if not _is_local(host)]
    if open_hosts and mode not in _TLS_MODES:
        raise UnsafeConnectionError(
            f"{open_hosts[0]} is not this machine, and sslmode={mode} may send passwords unencrypted: "
            "add sslmode=require to CINEMATCH_DATABASE_URL"
        )


def _parts(url: str) -> dict[str, Any]:
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise InvalidUrlError(_URL_EXPECTED) from None
    # A password with an unescaped slash ends up in the port, one with an @ in the host.
    if not set(str(parts.get("port", ""))) <= set("0123456789,") or "@" in str(parts.get("host", ""))[1:]:
        raise InvalidUrlError(_URL_EXPECTED)
    return parts


def _hosts(parts: dict[str, Any]) -> list[str]:
    """Every host that libpq may connect to. A service file may name any, so it counts as a host elsewhere."""
    service = parts.get("service") or os.environ.get("PGSERVICE")
    names = str(parts.get("host") or os.environ.get("PGHOST") or "")
    addresses = str(parts.get("hostaddr") or os.environ.get("PGHOSTADDR") or "")
    return [*names.split(","), *addresses.split(","), *([f"service {service}"] if service else [])]


def _is_local(host: str) -> bool:
    if host in {"", "localhost"} or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def connect(
    url: str, *, application: str = "cinematch", user: str | None = None, password: str | None = None
) -> Iterator[psycopg.Connection]:
    """Yield an autocommit connection; to write, open ``connection.transaction()``.

    ``user`` and ``password`` stand in for those of the URL; an empty password is looked up in libpq's password file.

    Raises:
        InvalidUrlError: see ``require_tls``.
        UnsafeConnectionError: see ``require_tls``.
        WarehouseUnavailableError: when the server cannot be reached, is lost on the way, or its disk is full.
    """
    require_tls(url)
    with translate_errors(url):
        connection = psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            application_name=application,
            connect_timeout=10,
            user=user,
            password=password,
        )
    with translate_errors(url), connection:
        yield connection


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Turn an error of the server into a message that names it, without user and password.

    Raises:
        WarehouseUnavailableError: instead of the driver's error.
    """
    try:
        yield
    except errors.DiskFull as full:
        raise WarehouseUnavailableError(f"{describe(url)}: the server's disk is full; nothing was changed") from full
    except errors.LockNotAvailable as busy:
        raise WarehouseUnavailableError(
            f"{describe(url)}: another session holds a lock on the table; nothing was changed, run it again"
        ) from busy
    except psycopg.OperationalError as fault:
        raise WarehouseUnavailableError(f"{describe(url)}: {_cause(fault)}; nothing was changed") from fault


def _cause(fault: psycopg.OperationalError) -> str:
    """The first line of the driver's message, since the next ones are hints, without the host that stands before it."""
    lines = str(fault).strip().splitlines()
    cause = lines[0].rsplit(" failed: ", 1)[-1].removeprefix("FATAL:").strip() if lines else "connection lost"
    if fault.sqlstate is None and "certificate" in cause:
        return f"{cause} (sslrootcert has to name the CA that signed the server's certificate, and the URL its host)"
    if fault.sqlstate is None or fault.sqlstate.startswith(_GONE):
        return f"{cause} (the server is down, or CINEMATCH_DATABASE_URL is wrong)"
    return f"{cause} (sqlstate {fault.sqlstate}): run it again"
