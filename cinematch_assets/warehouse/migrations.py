"""Bring a database to the newest schema.

Here: the roles, applying ``sql/migrations`` and rolling it back, then what the roles may do. Not here: the schema. All
pending migrations are one transaction under one lock: of several processes that start together one applies them, and a
killed one leaves nothing.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import errors
from yoyo import read_migrations
from yoyo.migrations import Migration, topological_sort

from cinematch_assets.errors import CinematchError
from cinematch_assets.project_files import project_file
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import statement

FOLDER = project_file("sql/migrations")
_LOG = logging.getLogger(__name__)


class MigrationFailedError(CinematchError):
    """The server refused a migration; the database is as it was."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a call to ``migrate`` or ``rollback`` did, and what an administrator has to do where it could not."""

    applied: tuple[str, ...]
    schema: str
    warnings: tuple[str, ...] = ()


def migrate(url: str, folder: Path = FOLDER) -> Migrated:
    """Apply what is pending; safe to run twice, or from several places at once.

    Raises:
        MigrationFailedError: the database's user may not change the schema, or a migration has an error.
    """
    warnings: list[str] = []
    with connect(url, application="cinematch migrate") as connection, connection.transaction():
        connection.add_notice_handler(lambda notice: _note(notice, warnings))
        applied = _lock_applied(connection)
        migrations = _read(folder)
        todo = [migration for migration in migrations if migration.id not in applied]
        create_roles(connection)
        for migration in todo:
            _execute(connection, migration, Path(migration.path), "apply")
        _run(connection, "the roles' rights", statement("migrations/grant_roles").encode())
    return _migrated(todo, migrations, warnings)


def create_roles(connection: psycopg.Connection) -> None:
    """Make the roles that the server misses, as far as the user may; ``migrate`` warns of the others."""
    _run(connection, "the roles", statement("migrations/create_roles").encode())


def rollback(url: str, folder: Path = FOLDER) -> Migrated:
    """Undo every migration, newest first. The tables and their rows are gone afterwards."""
    with connect(url, application="cinematch migrate") as connection, connection.transaction():
        applied = _lock_applied(connection)
        migrations = _read(folder)
        todo = [migration for migration in reversed(migrations) if migration.id in applied]
        for migration in todo:
            _execute(connection, migration, Path(migration.path).with_suffix(".rollback.sql"), "rollback")
    return _migrated(todo, migrations)


def _note(notice: psycopg.errors.Diagnostic, warnings: list[str]) -> None:
    """Keep and log what the server warns of."""
    if notice.severity_nonlocalized == "WARNING" and notice.message_primary:
        warnings.append(notice.message_primary)
        _LOG.warning("migrate: %s", notice.message_primary)


def list_pending_migrations(url: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the migrations that the database misses, without changing it."""
    with connect(url, application="cinematch migrate") as connection:
        is_new = connection.execute("SELECT to_regclass('_yoyo_migration')").fetchone() == (None,)
        applied = set() if is_new else _list_applied(connection)
    return tuple(migration.id for migration in _read(folder) if migration.id not in applied)


def _read(folder: Path) -> list[Migration]:
    """Read the migrations of a folder, each after those that it depends on."""
    return list(topological_sort(read_migrations(str(folder))))


def _lock_applied(connection: psycopg.Connection) -> set[str]:
    """Keep other processes from migrating until the transaction ends; return what is applied."""
    lock(connection, "migrations")
    _run(connection, "the table of migrations", statement("migrations/create_migration_tables").encode())
    return _list_applied(connection)


def _list_applied(connection: psycopg.Connection) -> set[str]:
    return {name for (name,) in connection.execute(statement("migrations/select_applied_migrations")).fetchall()}


def _execute(connection: psycopg.Connection, migration: Migration, file: Path, operation: str) -> None:
    start = time.perf_counter()
    values = {"id": migration.id, "hash": migration.hash, "operation": operation}
    _run(connection, f"migration {migration.id}", file.read_bytes())
    if operation == "apply":
        connection.execute(statement("migrations/insert_applied_migration"), values)
    else:
        connection.execute(statement("migrations/delete_applied_migration"), values)
    connection.execute(statement("migrations/insert_migration_log"), values)
    _LOG.info("migration %s: %s in %.1f s", migration.id, operation, time.perf_counter() - start)


def _run(connection: psycopg.Connection, what: str, orders: bytes) -> None:
    """Execute a file's orders; an error of the server names the file and what to do."""
    try:
        connection.execute(orders)
    except errors.InsufficientPrivilege as denied:
        raise MigrationFailedError(
            f"{what}: {denied.diag.message_primary}: migrations need the owner of the tables, or for a new database a "
            f"user with CREATE on it and its schema public, and {connection.info.user} is neither; nothing was changed"
        ) from denied
    except psycopg.OperationalError:
        raise  # of the server, and not of this migration: ``connect`` says it
    except psycopg.Error as fault:
        raise MigrationFailedError(
            f"{what}: {fault.diag.message_primary or fault} (sqlstate {fault.sqlstate}); nothing was changed"
        ) from fault


def _migrated(todo: Iterable[Migration], migrations: Iterable[Migration], warnings: Iterable[str] = ()) -> Migrated:
    return Migrated(
        applied=tuple(m.id for m in todo), schema=max(m.id for m in migrations), warnings=tuple(dict.fromkeys(warnings))
    )
