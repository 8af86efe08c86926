"""What libraries, the system and Postgres raise becomes a true sentence; what is our bug becomes none."""

import errno
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import requests
import sqlalchemy
from psycopg import errors

from cinematch_assets import fault_messages
from cinematch_assets.errors import CinematchError
from cinematch_assets.fault_messages import message_of, server_message
from cinematch_assets_tests.support.servers import Postgres

DOWN = "the server is down"


def raised(function: Callable[[], object]) -> Exception:
    """What a call raises."""
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ('FATAL:  password authentication failed for user "x"', "the user or the password in URL is wrong"),
        ("fe_sendauth: no password supplied", "the user or the password in URL is wrong"),
        ('FATAL:  role "unlisted" does not exist', "look at the user in URL"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x", no encryption', "look at the user in URL"),
        ('FATAL:  database "none" does not exist', "look at the database in URL"),
        ("FATAL:  no such database: none", "look at the database in URL"),
        ("FATAL:  sorry, too many clients already", "the server has no connection left"),
        ('FATAL:  too many connections for role "limited"', "the server has no connection left"),
        ("FATAL:  remaining connection slots are reserved for roles with SUPERUSER", "no connection left"),
        ("FATAL:  the database system is starting up", "starting or stopping"),
        ('FATAL:  database "closed" is not currently accepting connections', "starting or stopping"),
        ('FATAL:  permission denied for database "private"\nDETAIL:  no CONNECT', "lacks a right"),
        ("server does not support SSL, but SSL was required", "do not agree on TLS"),
        ("SSL error: certificate verify failed", "sslrootcert has to name the CA"),
        ("Connection refused\n\tIs the server running?", DOWN),
        ("could not translate host name", DOWN),
        ("timeout expired", DOWN),
        ("server closed the connection unexpectedly", "the connection was lost"),
    ],
)
def test_a_refused_sign_in_has_its_own_reason(said: str, advice: str) -> None:
    message = server_message(f'connection failed: connection to server at "h", port 1 failed: {said}', None, "URL")
    assert advice in message
    assert (DOWN in message) == (advice == DOWN)
    assert "\n" not in message
    assert "FATAL" not in message


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("53100", "disk is full"), ("53200", "no memory"), ("53300", "no connection left"),
        ("53400", "lacks resources"),
        ("25006", "read-only"), ("42501", "lacks a right"), ("57P01", "ended the connection"),
        ("57P03", "starting or"),
        ("57014", "cancelled"), ("55P03", "holds a lock"), ("40001", "run it again"), ("40P01", "again"),
        ("58030", "cannot read or write its files"), ("XX001", "inside the server"), ("08006", "connection was lost"),
        ("28P01", "password"), ("28000", "pg_hba"), ("3D000", "database in URL"), ("22003", "refuses a value"),
        ("99999", "sqlstate 99999"),
    ],
)  # fmt: skip
def test_each_sqlstate_has_advice(state: str, advice: str) -> None:
    message = server_message("something", state, "URL")
    assert message.startswith("something (")
    assert advice in message
    assert DOWN not in message


def test_a_real_server_s_refusals_blame_neither_the_server_nor_the_url(postgres15: Postgres) -> None:
    with psycopg.connect(postgres15.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE full_role LOGIN CONNECTION LIMIT 0")
        connection.execute("CREATE ROLE outsider LOGIN")
        connection.execute("CREATE DATABASE private")
        connection.execute("REVOKE CONNECT ON DATABASE private FROM PUBLIC")
    url = postgres15.url
    expected = {
        url.replace("postgres@", "unlisted@"): "look at the user",
        url.replace("postgres@", "full_role@"): "no connection left",
        postgres15.url_of("private").replace("postgres@", "outsider@"): "lacks a right",
        postgres15.url_of("nosuch"): "look at the database",
        f"{url}?sslmode=require": "do not agree on TLS",
    }
    try:
        for tried, advice in expected.items():
            message = message_of(raised(lambda tried=tried: psycopg.connect(tried)))  # type: ignore[misc]
            assert message is not None
            assert advice in message
            assert DOWN not in message
    finally:
        with psycopg.connect(postgres15.url, autocommit=True) as connection:
            connection.execute("DROP DATABASE private")
            connection.execute("DROP ROLE full_role")
            connection.execute("DROP ROLE outsider")


def _undecodable() -> object:
    return json.loads(b'"\xff"')


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CinematchError("a.csv: is empty"), "a.csv: is empty"),
        (raised(lambda: Path("/nowhere/x").read_bytes()), "/nowhere/x: there is no such file or folder"),
        (raised(lambda: Path("/").read_bytes()), "/: it is a folder, and a file was expected"),
        (OSError(errno.ENOSPC, "x", "out.html"), "out.html: no space is left on the device"),
        (OSError(errno.EROFS, "x", b"out.html"), "out.html: the file system is read-only"),
        (OSError(errno.ENOTTY, "Inappropriate ioctl for device"), "Inappropriate ioctl for device"),
        (MemoryError(), "the memory is used up: close other programs, or take less data"),
        (
            raised(lambda: pa.array([2**40], pa.int32())),
            "a Parquet file or Arrow data cannot be used: Value 1",
        ),
        (raised(lambda: json.loads("{")), "a file is not valid JSON: Expecting property name"),
        (raised(lambda: json.loads("[" * 100_000)), "a file or an argument cannot be read: maximum recursion depth"),
        (raised(_undecodable), "a file or an argument cannot be read: 'utf-8' codec can't decode"),
        (requests.ConnectionError("no route"), "the network: no route"),
        (errors.NumericValueOutOfRange("bigint out of range"), "the database: bigint out of range (Postgres refuses"),
        (psycopg.OperationalError("consuming input failed: server closed the connection"), "the database: server"),
        (sqlalchemy.exc.OperationalError("SELECT", {}, psycopg.OperationalError("x failed: Connection refused")),
         "Dagster's database: Connection refused (the server is down, or DAGSTER_POSTGRES_URL is wrong)"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_what_is_raised_has_a_sentence(error: Exception, expected: str) -> None:
    message = message_of(error)
    assert message is not None
    assert message.startswith(expected)
    assert "\n" not in message


@pytest.mark.parametrize(
    "error", [TypeError("x"), KeyError("x"), AssertionError(), errors.UndefinedColumn("x"), errors.SyntaxError("x"),
              psycopg.ProgrammingError("the query has 1 placeholder"), ValueError("x"), OSError("x")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_bug_has_none(error: Exception) -> None:
    assert message_of(error) is None


def test_a_bug_while_an_error_is_handled_stays_a_bug() -> None:
    def handle() -> None:
        try:
            Path("/nowhere/x").read_bytes()
        except OSError:
            int(None)  # type: ignore[call-overload]

    assert message_of(raised(handle)) is None


def test_endless_recursion_of_our_own_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def ours() -> None:
        ours()

    monkeypatch.setitem(globals(), "__name__", f"{fault_messages.__name__.partition('.')[0]}.somewhere")
    assert message_of(raised(ours)) is None


def test_a_wrapped_error_keeps_the_sentence_of_what_it_was_raised_from() -> None:
    class StepError(Exception):
        pass

    error = StepError("the step failed")
    with suppress(StepError):
        raise error from OSError(errno.ENOSPC, "x", "report.html")
    assert message_of(error) == "report.html: no space is left on the device"


def test_no_password_is_in_a_sentence() -> None:
    said = "cannot reach postgresql://owner:s3cret@host/db with password=s3cret"
    message = message_of(requests.ConnectionError(said))
    assert message is not None
    assert "s3cret" not in message
    assert "postgresql://…@host/db" in message
