"""A read-only query that a person or a program wrote.

Here: one SELECT as role ``analyst``, bounded in time, rows and bytes. Not here: the platform's own queries
(``statements``), what the role may read (``sql/queries/migrations/grant_roles.sql``).
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg
from psycopg import errors

from cinematch_assets.errors import CinematchError
from cinematch_assets.plurals import count
from cinematch_assets.warehouse.connection import WarehouseUnavailableError, connect, describe
from cinematch_assets.warehouse.statements import single_row, statement, statement_names

TIMEOUT_S = 60
LOCK_TIMEOUT_S = 30
MAX_ROWS = 10_000
MAX_ANSWER_BYTES = 64 * 2**20
MAX_ROW_BYTES = 4 * 2**20
_QUESTION, _ANSWER = "question", "answer"
_FIRST_WORDS = ("select", "with", "values", "table", "(", "--", "/*")
_NARROW_TYPES = {
    "bool", "int2", "int4", "int8", "float4", "float8", "date", "time", "timetz", "timestamp", "timestamptz",
    "interval", "uuid", "oid",
}  # fmt: skip
_VOID_OID = 2278
_NO_BOUNDARY = (
    "the query runs in a session of the platform's own user, reduced to role analyst, which a query can undo; "
    "CINEMATCH_ANALYST_URL names a URL that signs in as analyst"
)


_OF_THE_QUERY = (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError, psycopg.InternalError)
_LIMITS = (errors.ProgramLimitExceeded, errors.StatementTooComplex, errors.TooManyColumns, errors.TooManyArguments)
"""Postgres' own limits (class 54), which psycopg counts among faults of the connection."""


class QuestionRefusedError(CinematchError):
    """The query is not a SELECT, is not allowed, or has an error."""


@dataclass(slots=True)
class Answer:
    """The columns of an answer, and its rows, which are read once and as the server sends them.

    ``note`` says what this database cannot withhold. ``cut`` says, after the last row, why rows are missing.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]] = field(default_factory=lambda: iter(()))
    note: str | None = None
    cut: str | None = None


@contextmanager
def open_answer(
    warehouse_url: str, query: str, *, embedded: bool, analyst_url: str | None = None, max_rows: int = MAX_ROWS
) -> Iterator[Answer]:
    """Run one SELECT, VALUES or WITH, and yield its answer while the query runs.

    Three things prevent changes: the role, a read-only transaction that is rolled back, and a cursor,
    which Postgres declares for a single query only.

    Args:
        warehouse_url: of the database.
        query: one statement; a semicolon at its end is allowed.
        embedded: true for the embedded server, where ``analyst`` signs in.
        analyst_url: signs in as ``analyst`` on another server. Without it the URL's user takes on the role, unless
            they are a superuser, whose session could read the server's files on the way.
        max_rows: the rows after which the answer is cut.

    Raises:
        QuestionRefusedError: with the line and column of the error where Postgres names them.
    """
    question = query.strip().rstrip(";").strip()
    if not question.lower().startswith(_FIRST_WORDS) or "\0" in question:
        raise QuestionRefusedError("the query is not one SELECT, WITH, VALUES or TABLE, and nothing else can be asked")
    with (
        _session(warehouse_url, analyst_url, embedded=embedded) as (connection, is_analyst),
        _translate_errors(warehouse_url, question),
        connection.transaction(force_rollback=True),
    ):
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [f"{TIMEOUT_S}s", f"{LOCK_TIMEOUT_S}s"],
        )
        if not is_analyst:
            _take_on_role(connection)
        # A session's locks outlive a rollback, and behind a pooler the session too: release them in either case.
        try:
            with connection.transaction(force_rollback=True):
                answer = _declare(connection, question)
                with closing(_read_rows(connection, answer, max_rows)) as rows:  # it has the connection until it ends
                    answer.rows = rows
                    if not is_analyst:
                        answer.note = _NO_BOUNDARY
                        answer.rows = iter(_withhold(connection, list(rows), answer))
                    yield answer
        finally:
            if not connection.broken:
                connection.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def _session(
    warehouse_url: str, analyst_url: str | None, *, embedded: bool
) -> Iterator[tuple[psycopg.Connection, bool]]:
    """Yield a connection, and whether it is signed in as ``analyst``."""
    user = "analyst" if embedded else None
    with connect(analyst_url or warehouse_url, application="cinematch sql", user=user) as connection:
        signed_in_as, is_superuser = single_row(connection, "maintenance/select_session_user")
        if not is_superuser:
            yield connection, signed_in_as == "analyst"
            return
    if analyst_url:
        raise QuestionRefusedError("CINEMATCH_ANALYST_URL signs in as a superuser: it has to sign in as analyst")
    try:
        # Where the server asks for no password, or a password file has the analyst's.
        with connect(warehouse_url, application="cinematch sql", user="analyst", password="") as connection:
            yield connection, True
    except WarehouseUnavailableError as refused:
        if not isinstance(refused.__cause__, psycopg.OperationalError) or refused.__cause__.sqlstate is not None:
            raise
        raise QuestionRefusedError(
            f"the URL of the database signs in as {signed_in_as}, a superuser, who could read the server's files by a "
            "query: give analyst a password (ALTER ROLE analyst PASSWORD '…') and set CINEMATCH_ANALYST_URL to a URL "
            "that signs in with it"
        ) from refused


def _take_on_role(connection: psycopg.Connection) -> None:
    try:
        connection.execute("SET LOCAL ROLE analyst")
    except errors.InvalidParameterValue as missing:
        raise QuestionRefusedError(
            "role analyst is missing, and questions are asked as it: cinematch migrate makes it, or says what an "
            "administrator has to run"
        ) from missing
    except errors.InsufficientPrivilege as denied:
        user = connection.info.user
        raise QuestionRefusedError(
            f"user {user} may not take on role analyst: an administrator runs GRANT analyst TO {user}"
        ) from denied


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


def _declare(connection: psycopg.Connection, question: str) -> Answer:
    """Declare the cursor ``_ANSWER``; return the answer without its rows.

    A row is measured on the server where a column may be wide, because a client that receives it has to hold it whole.
    """
    with psycopg.ServerCursor(connection, _QUESTION) as cursor:
        cursor.execute(question.encode())
        described = cursor.description or []
    answer = Answer(tuple(column.name for column in described))
    known = connection.adapters.types
    narrow = {found.oid for name in _NARROW_TYPES if (found := known.get(name))} | {_VOID_OID}
    wide = [number for number, column in enumerate(described) if column.type_code not in narrow]
    measured = _measured(question, len(described), wide)
    connection.execute(f'DECLARE "{_ANSWER}" NO SCROLL CURSOR FOR {measured}'.encode())
    return answer


def _measured(question: str, columns: int, wide: list[int]) -> str:
    """Return the query with each row's bytes as last column, and the wide values of a row that is too wide as NULL."""
    names = [f"c{number}" for number in range(columns)]
    size = " + ".join(["0::bigint", *(f"coalesce(pg_column_size({names[number]}), 0)" for number in wide)])
    values = [
        f"CASE WHEN row_bytes <= {MAX_ROW_BYTES} THEN {name} END" if number in wide else name
        for number, name in enumerate(names)
    ]
    listed = ", ".join([*values, "row_bytes"])
    aliases = f"({', '.join(names)})" if names else ""
    # OFFSET 0 keeps each expression from being computed once for its size and once more for its value.
    fenced = f"SELECT * FROM ({question}\n) AS asked OFFSET 0"  # noqa: S608 - the person's query, validated as one SELECT
    return f"SELECT {listed} FROM (SELECT *, {size} AS row_bytes FROM ({fenced}) AS a{aliases} OFFSET 0) AS b"  # noqa: S608


def _read_rows(connection: psycopg.Connection, answer: Answer, max_rows: int) -> Generator[tuple[Any, ...], None, None]:
    """Yield the rows of a cursor, in one statement so that one time-out holds for all, until a limit cuts them."""
    left = MAX_ANSWER_BYTES
    fetch = f'FETCH FORWARD {max_rows + 1} FROM "{_ANSWER}"'
    stream = cast("Generator[list[Any], None, None]", connection.cursor().stream(fetch.encode()))
    with closing(stream):
        for number, (*row, row_bytes) in enumerate(stream, 1):
            if row_bytes > MAX_ROW_BYTES:
                raise QuestionRefusedError(
                    f"row {number:,} has {row_bytes / 2**20:.0f} MB, and {MAX_ROW_BYTES // 2**20} is the most: "
                    "ask for a part of it, as in left(column, 1000)"
                )
            left -= row_bytes
            if number > max_rows:
                answer.cut = f"there are more than {count(max_rows, 'row')}: add a LIMIT, or raise --max-rows"
                return
            if left < 0:
                cut = f"{MAX_ANSWER_BYTES // 2**20} MB after {count(number - 1, 'row')}"
                answer.cut = f"the answer was cut at {cut}: ask for less"
                return
            yield tuple(row)


def _withhold(connection: psycopg.Connection, rows: list[tuple[Any, ...]], answer: Answer) -> list[tuple[Any, ...]]:
    """Return the rows if the query is still in its role."""
    if answer.cut is None and connection.execute("SELECT current_user").fetchone() != ("analyst",):
        raise QuestionRefusedError("the query left role analyst: its answer is withheld")
    return rows


@contextmanager
def _translate_errors(url: str, question: str) -> Iterator[None]:
    try:
        yield
    except errors.QueryCanceled as late:
        raise QuestionRefusedError(f"no answer within {TIMEOUT_S} s: ask for less, or add a LIMIT") from late
    except errors.ConfigurationLimitExceeded as full:
        raise QuestionRefusedError(f"{_primary(full)}: the query sorts or joins too much, ask for less") from full
    except errors.InsufficientPrivilege as denied:
        raise QuestionRefusedError(f"{_primary(denied)}: the query runs as role analyst, which only reads") from denied
    except (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported) as denied:
        raise QuestionRefusedError(f"{_primary(denied)}: the query may only read") from denied
    except (*_OF_THE_QUERY, *_LIMITS) as fault:
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
    ahead = len(f'DECLARE "{_QUESTION}" CURSOR FOR ')
    position = int(fault.diag.statement_position) - 1 - ahead
    if not 0 <= position < len(question):
        return ", at the end of the query" if position >= len(question) else "; give one SELECT, VALUES or WITH"
    before = question[:position].splitlines() or [""]
    line = question.splitlines()[len(before) - 1]
    return f", line {len(before)}, column {len(before[-1]) + 1}: {line.strip()[:120]}"
