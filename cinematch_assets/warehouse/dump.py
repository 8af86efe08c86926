"""The whole database as one file, and back, by Postgres' own programs.

Here: dumping, restoring into an empty database, comparing what a database holds. Not here: the store's objects and what
a backup is (``pipeline.backups``). ``pg_dump`` reads the snapshot that the rows were counted in. A password is in the
programs' environment, which only their user can read, and in no process list.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cinematch_assets.actor import Actor
from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.plurals import count
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.embedded import embedded_url
from cinematch_assets.warehouse.landed_files import list_referenced_objects
from cinematch_assets.warehouse.migrations import create_roles, migrate
from cinematch_assets.warehouse.server_files import newest_programs
from cinematch_assets.warehouse.statements import statement

_HEAD_BYTES = 1 << 16
"""Settings of a dump's script are in its first lines."""
_TIMEOUT = "SET transaction_timeout = 0;\n"
"""A setting that servers before 17 do not know, as they do not know the right MAINTAIN."""
_MAINTAIN_SINCE = 170_000
_DEFAULT_RIGHTS = " DEFAULT ACL "
_SERVER_FUNCTION_RIGHTS = " ACL pg_catalog "


class DumpError(SurroundingsError):
    """A program of Postgres failed; with its last words."""


class NotEmptyError(CinematchError):
    """A database that something would be restored into holds tables."""


class RestoredOtherRowsError(CinematchError):
    """After restoring a table holds other rows than were dumped; the message names it."""


@dataclass(frozen=True, slots=True)
class TableContents:
    """Rows of a table, and a sum over the hashes of their texts, which does not depend on their order."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database held in one snapshot."""

    tables: Mapping[str, TableContents]
    """By ``schema.table``."""
    referenced_keys: frozenset[str]
    """Objects of the store that rows refer to."""
    server_version: int


def dump_database(url: str, target: Path) -> Contents:
    """Write the database into one file, and return what it holds.

    Raises:
        DumpError: ``pg_dump`` failed: a user who may not read all tables, a pooler between, a full disk.
    """
    with connect(url, application="cinematch backup") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            (snapshot,) = _single(connection, "SELECT pg_export_snapshot()")
            contents = Contents(
                _read_tables(connection), frozenset(list_referenced_objects(connection)), connection.info.server_version
            )
            options = ["--format=custom", f"--snapshot={snapshot}", f"--file={target}"]
            with _program_environment(url) as (address, environment):
                _run("pg_dump", [*options, address], environment)
    return contents


def restore_database(url: str | None, home: Path, dump: Path, tables: Mapping[str, TableContents]) -> tuple[str, ...]:
    """Restore a dump into the empty database at ``url``, by default the embedded one under ``home``.

    All in one transaction; then the rows are compared, and the schema is brought to this release's.

    Args:
        url: signs in as who will own the tables.
        home: of the embedded server.
        dump: a file of ``dump_database``.
        tables: what it holds.

    Returns:
        What an administrator has to do where the user may not.

    Raises:
        NotEmptyError: there are tables already.
        DumpError: a program failed; the database is as empty as it was.
        RestoredOtherRowsError: a table differs.
    """
    url = url or embedded_url(home)
    with connect(url, application="cinematch restore") as connection:
        _require_empty(connection)
        create_roles(connection)
        _restore(url, dump, server_version=connection.info.server_version)
        restored = read_tables(connection)
    for table, contents in tables.items():
        if restored.get(table) != contents:
            found = restored.get(table)
            raise RestoredOtherRowsError(
                f"{table} holds {count(found.rows if found else 0, 'row')} after restoring, "
                f"and {contents.rows:,} were dumped"
                + (", of which some differ" if found and found.rows == contents.rows else "")
            )
    return migrate(url).warnings


def record_restore(connection: psycopg.Connection, backup: str, reason: str, by: Actor) -> None:
    """Add to the audit that this database was restored, which the dump could not know."""
    add_audit_entry(connection, Action.RESTORE, backup, reason, by)


def require_empty_database(url: str | None, home: Path) -> None:
    """Refuse a database, by default the embedded one under ``home``, that holds tables.

    Raises:
        NotEmptyError: naming one of them.
    """
    with connect(url or embedded_url(home), application="cinematch restore") as connection:
        _require_empty(connection)


def _require_empty(connection: psycopg.Connection) -> None:
    found = connection.execute(statement("backup/select_tables")).fetchall()
    if found:
        raise NotEmptyError(
            f"the database holds {count(len(found), 'table')} ({'.'.join(found[0])}, …): restore into an empty one, "
            "or give CINEMATCH_HOME a new folder"
        )


def read_tables(connection: psycopg.Connection) -> dict[str, TableContents]:
    """Return what each table holds, in one snapshot."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        return _read_tables(connection)


def _read_tables(connection: psycopg.Connection) -> dict[str, TableContents]:
    connection.execute(statement("backup/set_text_forms"))
    query = "SELECT count(*), COALESCE(sum(hashtextextended(t::text, 0)), 0)::text FROM {}.{} AS t"
    return {
        f"{schema}.{table}": TableContents(
            *_single(connection, sql.SQL(query).format(sql.Identifier(schema), sql.Identifier(table)))
        )
        for schema, table in connection.execute(statement("backup/select_tables")).fetchall()
    }


def _single(connection: psycopg.Connection, query: "str | sql.Composed") -> tuple[Any, ...]:
    row = connection.execute(query.encode() if isinstance(query, str) else query).fetchone()
    if row is None:
        raise LookupError(f"{query!r} returned no row")
    return tuple(row)


def _restore(url: str, dump: Path, *, server_version: int) -> None:
    """Apply tables, rows, indexes and rights in one transaction of ``psql``."""
    with tempfile.TemporaryDirectory(prefix="cinematch-restore-") as folder, _program_environment(url) as programs:
        address, environment = programs
        entries = _choose(_run("pg_restore", ["--list", str(dump)], environment))
        (chosen := Path(folder) / "entries").write_text(entries, encoding="utf-8")

        def script(section: str) -> list[str]:
            return ["--no-owner", f"--use-list={chosen}", f"--section={section}", "--file=-", str(dump)]

        before, after = (
            _for_server(_run("pg_restore", script(section), environment), server_version).encode()
            for section in ("pre-data", "post-data")
        )
        apply = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", address]
        with (
            (Path(folder) / "log").open("w+b") as errors,
            _start("pg_restore", script("data"), environment, stdout=subprocess.PIPE, stderr=errors) as reader,
            _start("psql", apply, environment, stdin=subprocess.PIPE, stdout=errors, stderr=errors) as writer,
        ):
            _copy(reader, writer, before, after, server_version)
            codes = reader.wait(), writer.wait()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
    if any(codes):
        raise DumpError(f"the dump cannot be restored: {_last_words(said)}")


def _choose(listed: str) -> str:
    """Return the entries of a dump that are restored.

    Rights on what the owner will make belong to a user of the dumped server, and rights on the server's own functions
    name arguments that another release lacks. ``migrate`` gives and takes both again.
    """
    left_out = (_DEFAULT_RIGHTS, _SERVER_FUNCTION_RIGHTS)
    return "\n".join(line for line in listed.splitlines() if not any(mark in line for mark in left_out))


def _for_server(script: str, server_version: int) -> str:
    """Leave out what this server does not know, none of which the tables need.

    ``pg_attver`` is a newer minor release's own note on a column (seen on 15.20), which earlier programs take for
    an option. The right MAINTAIN came with 17: ``grant_roles`` gives it where there is one.
    """
    script = re.sub(r"^ALTER TABLE ONLY .* SET \(pg_attver=\d+\);$", "", script, flags=re.MULTILINE)
    if server_version >= _MAINTAIN_SINCE:
        return script
    without = re.sub(r"\bMAINTAIN,|,MAINTAIN\b", "", script.replace(_TIMEOUT, ""))
    return re.sub(r"^GRANT MAINTAIN ON .*$", "", without, flags=re.MULTILINE)


def _copy(
    reader: "subprocess.Popen[bytes]",
    writer: "subprocess.Popen[bytes]",
    before: bytes,
    after: bytes,
    server_version: int,
) -> None:
    """Hand the rows from one program to the other, between two scripts.

    A program that ended early is known by its exit code.
    """
    source, target = reader.stdout, writer.stdin
    if source is None or target is None:
        raise ValueError("both programs need a pipe")
    head = source.read(_HEAD_BYTES)
    if server_version < _MAINTAIN_SINCE:
        head = head.replace(_TIMEOUT.encode(), b"", 1)
    try:
        with target:
            target.write(before)
            target.write(head)
            shutil.copyfileobj(source, target, _HEAD_BYTES)
            if reader.wait() == 0:
                target.write(after)
            else:  # the rows are not whole, and none may be committed
                writer.kill()
    except BrokenPipeError:
        reader.kill()


@contextmanager
def _program_environment(url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give a connection string without user and password, and an environment with them."""
    parts = conninfo_to_dict(url)
    if "sslpassword" in parts:
        raise DumpError("sslpassword would be in the process list: name a key file without a password in sslkey")
    names = {"user": "PGUSER", "password": "PGPASSWORD"}
    signs_in = {variable: str(parts.pop(part)) for part, variable in names.items() if parts.get(part)}
    yield f"--dbname={make_conninfo('', **parts)}", os.environ | signs_in


def _run(program: str, options: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [newest_programs() / program, *options], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DumpError(f"{program} failed: {_last_words(done.stderr)}")
    return done.stdout


def _start(
    program: str, options: Sequence[str], environment: Mapping[str, str], **streams: "int | IO[bytes]"
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([newest_programs() / program, *options], env=environment, **streams)  # type: ignore[call-overload,no-any-return]


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")
