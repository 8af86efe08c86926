"""A read-only query that a person or a program wrote.

Here: one SELECT as role ``analyst``. Not here: the platform's own queries (``statements``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.connection import connect, describe
from cinematch_assets.warehouse.statements import statement, statement_names

TIMEOUT_S = 60
_CURSOR = "question"
_FIRST_WORDS = ("select", "with", "values", "table", "(", "--", "/*")


class QuestionRefusedError(CinematchError):
    """The query is not a SELECT, is not allowed, or has an error."""


def ask(warehouse_url: str, query: str, *, embedded: bool) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Run one SELECT, VALUES or WITH; return the names of its columns, and its rows.

    Three things prevent changes: the role, a read-only transaction that is rolled back, and a cursor,
    which Postgres declares for a single query only.

    Args:
        warehouse_url: of the database.
        query: one statement; a semicolon at its end is allowed.
        embedded: true for the embedded server, where ``analyst`` signs in; elsewhere the URL's user takes on the
            role, which has no password. The URL by itself permits more.

    Raises:
        QuestionRefusedError: with the line and column of the error where Postgres names them.
    """
    question = query.strip().rstrip(";").strip()
    if not question.lower().startswith(_FIRST_WORDS) or "\0" in question:
        raise QuestionRefusedError("the query is not one SELECT, WITH, VALUES or TABLE, and nothing else can be asked")
    with (
        connect(warehouse_url, application="cinematch sql", user="analyst" if embedded else None) as connection,
        _translate_errors(warehouse_url, question),
        connection.transaction(force_rollback=True),
    ):
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{TIMEOUT_S}s"])
        if not embedded:
            connection.execute("SET LOCAL ROLE analyst")
        return _answer(connection, question)


def read_shipped_query(name: str) -> str:
    """Return a query of ``sql/queries/analytics``.

    Raises:
        QuestionRefusedError: there is none of that name; the message names them all.
    """
    folder = "analytics/"
    names = [each.removeprefix(folder) for each in statement_names() if each.startswith(folder)]
    if name not in names:
        raise QuestionRefusedError(f"no query @{name}; there are {', '.join(names)}")
    return statement(folder + name)


def _answer(connection: psycopg.Connection, question: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    # A session's locks outlive a rollback, and behind a pooler the session too: release them in either case.
    try:
        with connection.transaction(), psycopg.ServerCursor(connection, _CURSOR) as cursor:
            cursor.itersize = 10_000
            cursor.execute(question.encode())
            columns = tuple(column.name for column in cursor.description or ())
            rows = list(cursor)
            if connection.execute("SELECT current_user").fetchone() != ("analyst",):
                raise QuestionRefusedError("the query left role analyst: its answer is withheld")
            return columns, rows
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def _translate_errors(url: str, question: str) -> Iterator[None]:
    try:
        yield
    except errors.QueryCanceled as late:
        raise QuestionRefusedError(f"no answer within {TIMEOUT_S} s: ask for less, or add a LIMIT") from late
    except errors.InsufficientPrivilege as denied:
        raise QuestionRefusedError(f"{_primary(denied)}: the query runs as role analyst, which only reads") from denied
    except (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported) as denied:
        raise QuestionRefusedError(f"{_primary(denied)}: the query may only read") from denied
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError, psycopg.InternalError) as fault:
        raise QuestionRefusedError(f"{_primary(fault)}{_place(fault, question)}") from fault
    except errors.UndefinedFile as missing:
        raise QuestionRefusedError(f"{describe(url)}: {_primary(missing)}") from missing


def _primary(fault: psycopg.Error) -> str:
    if "multiple commands" in str(fault):
        return "the query is several statements: ask one at a time"
    return fault.diag.message_primary or str(fault).strip() or type(fault).__name__


def _place(fault: psycopg.Error, question: str) -> str:
    """Line and column of an error; Postgres counts from the cursor's declaration."""
    if fault.diag.statement_position is None:
        return ""
    ahead = len(f'DECLARE "{_CURSOR}" CURSOR FOR ')
    position = int(fault.diag.statement_position) - 1 - ahead
    if not 0 <= position < len(question):
        return ", at the end of the query" if position >= len(question) else "; give one SELECT, VALUES or WITH"
    before = question[:position].splitlines() or [""]
    line = question.splitlines()[len(before) - 1]
    return f", line {len(before)}, column {len(before[-1]) + 1}: {line.strip()[:120]}"
