"""One way to reach Postgres, directly or through a pooler.

Here: how a connection is opened, the TLS rule, and how a server's fault is put into one sentence. Not here: what is asked
of the server. Nothing outlives a transaction (no SET, no session lock, no prepared statement), because PgBouncer
in transaction mode hands each transaction to another session.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from cinematch_assets.errors import CinematchError

_TLS_MODES = {"require", "verify-ca", "verify-full"}


class WarehouseUnavailableError(CinematchError):
    """Postgres cannot be reached, went away, or has no room."""


class UnsafeConnectionError(CinematchError):
    """A host that is not this machine, and no TLS."""


def describe(url: str) -> str:
    """Return ``host:port/database`` of a URL, without user and password."""
    parts = conninfo_to_dict(url)
    return f"{parts.get('host', 'local socket')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def require_tls(url: str) -> None:
    """Refuse a host that is not local unless its connection is encrypted.

    Raises:
        UnsafeConnectionError: naming the host and the setting to change.
    """
    parts = conninfo_to_dict(url)
    mode = parts.get("sslmode") or os.environ.get("PGSSLMODE", "prefer")
    hosts = str(parts.get("host") or parts.get("hostaddr") or os.environ.get("PGHOST") or "").split(",")
    open_hosts = [host for host in hosts if not _is_local(host)]
    if open_hosts and mode not in _TLS_MODES:
        raise UnsafeConnectionError(
            f"{open_hosts[0]} is not this machine, and sslmode={mode} may send passwords unencrypted: "
            "add sslmode=require to CINEMATCH_DATABASE_URL"
        )


def _is_local(host: str) -> bool:
    return host in {"", "localhost", "::1"} or host.startswith(("/", "@", "127."))


@contextmanager
def connect(url: str, *, application: str = "cinematch", user: str | None = None) -> Iterator[psycopg.Connection]:
    """Yield an autocommit connection; whoever writes opens ``connection.transaction()``.

    Raises:
        UnsafeConnectionError: see ``require_tls``.
        WarehouseUnavailableError: when the server cannot be reached, is lost on the way, or its disk is full.
    """
    require_tls(url)
    more = {"user": user} if user else {}
    with in_one_sentence(url):
        connection = psycopg.connect(
            url, autocommit=True, prepare_threshold=None, application_name=application, connect_timeout=10, **more
        )
    with in_one_sentence(url), connection:
        yield connection


@contextmanager
def in_one_sentence(url: str) -> Iterator[None]:
    """Put a fault of the server into one sentence that names it, and neither user nor password.

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
    except psycopg.OperationalError as lost:
        reason = str(lost).strip().splitlines()[-1] if str(lost).strip() else "connection lost"
        raise WarehouseUnavailableError(
            f"{describe(url)}: {reason} (the server is down or CINEMATCH_DATABASE_URL is wrong); nothing was changed"
        ) from lost
