"""One way to reach Postgres, directly or through a pooler.

Here: opening a connection, the TLS rule, and messages for a server's errors. Not here: queries (``statements``).
Nothing outlives a transaction (no SET, no session lock, no prepared statement), because PgBouncer in transaction mode
hands each transaction to another session.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_exponential

from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.fault_messages import is_starting, server_message
from cinematch_assets.faults import Cause, cause_of
from cinematch_assets.urls import ESCAPE, EXPECTED, InvalidUrlError

_LOG = logging.getLogger(__name__)
STARTING_S = 30.0
"""How long a server is waited for that says that it is starting."""

_TLS_MODES = {"require", "verify-ca", "verify-full"}

_URL_EXPECTED = f"CINEMATCH_DATABASE_URL is not {EXPECTED}; {ESCAPE}"


class WarehouseUnavailableError(SurroundingsError):
    """Postgres cannot be reached, does not let the user in, or cannot do its work now."""


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
    """Yield an autocommit connection; to write, open ``connection.transaction()``. A starting server is waited for.

    ``user`` and ``password`` stand in for those of the URL; an empty password is looked up in libpq's password file.

    Raises:
        InvalidUrlError: see ``require_tls``.
        UnsafeConnectionError: see ``require_tls``.
        WarehouseUnavailableError: when the server cannot be reached, is lost on the way, or its disk is full.
    """
    require_tls(url)
    with translate_errors(url):
        connection = _attempts()(
            psycopg.connect,
            url,
            autocommit=True,
            prepare_threshold=None,
            application_name=application,
            connect_timeout=10,
            user=user,
            password=password,
        )
    with translate_errors(url), connection:
        try:
            yield connection
        except ValueError as fault:
            # psycopg expects one answer to the end of a COPY. PgBouncer adds one of its own to the last of a session
            # that was ended, and psycopg fails to unpack the two.
            if not connection.broken:
                raise
            raise psycopg.OperationalError("the server ended the session") from fault


def _attempts() -> Retrying:
    """Attempts to sign in for as long as the server says that it is starting."""
    return Retrying(
        retry=retry_if_exception(lambda fault: isinstance(fault, psycopg.OperationalError) and is_starting(str(fault))),
        wait=wait_exponential(0.2, max=2),
        stop=stop_after_delay(STARTING_S),
        before_sleep=before_sleep_log(_LOG, logging.INFO),
        reraise=True,
    )


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Turn an error of the server into a message that names it, without user and password.

    Raises:
        WarehouseUnavailableError: instead of the driver's error.
    """
    try:
        yield
    except psycopg.Error as fault:
        if cause_of(fault) is not Cause.SURROUNDINGS:
            raise
        message = server_message(str(fault), fault.sqlstate, _setting_of(url))
        raise WarehouseUnavailableError(f"{describe(url)}: {message}; nothing was changed") from fault


def _setting_of(url: str) -> str:
    """Name the variable that holds a URL; the warehouse's where none does."""
    names = ("DAGSTER_POSTGRES_URL", "CINEMATCH_ANALYST_URL", "NEON_CONNECTION_STRING")
    given = ((name, os.environ.get(name)) for name in names)
    found = (name for name, value in given if value and value.partition("://")[2] == url.partition("://")[2])
    return next(found, "CINEMATCH_DATABASE_URL")
