"""Bring a database to the newest schema.

Here: how ``sql/migrations`` is applied and rolled back, with yoyo. Not here: the schema. All that is pending goes into
one transaction under one lock: four processes that start together apply it once, and a killed one leaves nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri

from cinematch_assets.project_files import project_file
from cinematch_assets.warehouse.connection import connect

FOLDER = project_file("sql/migrations")
_LOCK = 0x63696E656D61  # "cinema": any number, the same in every process


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a call to ``migrate`` or ``rollback`` did."""

    applied: tuple[str, ...]
    schema: str


class _OneTransaction(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend on a connection whose transaction belongs to the caller.

    Its own way commits a migration before it is marked as applied, and guards both with a row that a killed
    process leaves behind; savepoints inside one transaction need neither.
    """

    _is_locked = True

    def __init__(self, connection: psycopg.Connection) -> None:
        self._given = connection
        super().__init__(parse_uri("postgresql+psycopg:///"), "_yoyo_migration")

    def connect(self, dburi: object) -> psycopg.Connection:  # noqa: ARG002 - yoyo's signature
        return self._given

    def copy(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave the connection open: it is not ours."""

    def begin(self) -> None:
        self._in_transaction = True
        self.execute("SAVEPOINT migration")

    def commit(self) -> None:
        self.execute("RELEASE SAVEPOINT migration")
        self._in_transaction = False

    def rollback(self) -> None:
        self.execute("ROLLBACK TO SAVEPOINT migration")
        self._in_transaction = False


def migrate(url: str, folder: Path = FOLDER) -> Migrated:
    """Apply what is pending; safe to run twice, or from several places at once."""
    return _change(url, folder, "apply")


def pending(url: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the migrations that the database misses, without changing it."""
    migrations = read_migrations(str(folder))
    with connect(url, application="cinematch migrate") as connection:
        if connection.execute("SELECT to_regclass('_yoyo_migration')").fetchone() == (None,):
            return tuple(m.id for m in migrations)
        applied = {name for (name,) in connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()}
    return tuple(m.id for m in migrations if m.id not in applied)


def rollback(url: str, folder: Path = FOLDER) -> Migrated:
    """Undo every migration, newest first. The tables and their rows are gone afterwards."""
    return _change(url, folder, "rollback")


def _change(url: str, folder: Path, direction: str) -> Migrated:
    with connect(url, application="cinematch migrate") as connection:
        connection.autocommit = False
        backend = _locked(connection)
        backend.ensure_internal_schema_updated()  # commits, and so gives the lock back
        connection.commit()
        backend = _locked(connection)
        migrations = read_migrations(str(folder))
        todo: Any = backend.to_apply(migrations) if direction == "apply" else backend.to_rollback(migrations)
        (backend.apply_migrations if direction == "apply" else backend.rollback_migrations)(todo)
        connection.commit()
    return Migrated(applied=tuple(m.id for m in todo), schema=max(m.id for m in migrations))


def _locked(connection: psycopg.Connection) -> _OneTransaction:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    return _OneTransaction(connection)
