from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from cinematch_assets.warehouse import readonly_query
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.readonly_query import QuestionRefusedError, ask

_HELD_LOCKS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
Ask = Callable[[str], tuple[tuple[str, ...], list[tuple[Any, ...]]]]


@pytest.fixture(params=[True, False], ids=["signs-in", "takes-on-the-role"])
def question(request: pytest.FixtureRequest, shared_url: str) -> Iterator[Ask]:
    url = shared_url
    with connect(url) as connection:
        connection.execute("DELETE FROM movies")
        connection.execute("INSERT INTO movies VALUES (1, 'Heat (1995)', 'Crime'), (2, 'Amélie (2001)', NULL)")
    yield lambda query: ask(url, query, embedded=request.param)
    with connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM movies").fetchone() == (2,)
        assert connection.execute("SELECT to_regclass('made')").fetchone() == (None,)
        assert connection.execute(_HELD_LOCKS).fetchone() == (0,)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT movieId, title FROM movies ORDER BY 1",
        "  select movieId, title from movies order by 1 ;  ",
        "WITH m AS (SELECT * FROM movies) SELECT movieid, title FROM m ORDER BY 1 -- done",
        "-- what there is\nSELECT movieid, title FROM movies WHERE title LIKE '%' ORDER BY 1",
        "VALUES (1, 'Heat (1995)'), (2, 'Amélie (2001)')",
    ],
)
def test_a_question_is_answered(question: Ask, query: str) -> None:
    columns, rows = question(query)
    assert rows == [(1, "Heat (1995)"), (2, "Amélie (2001)")]
    assert columns in {("movieid", "title"), ("column1", "column2")}


def test_an_empty_answer_has_its_columns(question: Ask) -> None:
    assert question("SELECT title, genres FROM movies WHERE false") == (("title", "genres"), [])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("DELETE FROM movies", "not one SELECT"),
        ("UPDATE movies SET title = ''", "not one SELECT"),
        ("DROP TABLE movies", "not one SELECT"),
        ("CREATE TEMP TABLE made (n int)", "not one SELECT"),
        ("COPY movies TO PROGRAM 'cat'", "not one SELECT"),
        ("DO $$ BEGIN DELETE FROM movies; END $$", "not one SELECT"),
        ("COMMIT", "not one SELECT"),
        ("", "not one SELECT"),
        ("SELECT 'a\0b'", "not one SELECT"),
        ("SELECT 1; DELETE FROM movies", "several statements"),
        ("SELECT 1; COMMIT; DELETE FROM movies; SELECT 2", "several statements"),
        ("SELECT 1 INTO made", "INTO is not allowed"),
        ("WITH gone AS (DELETE FROM movies RETURNING *) SELECT * FROM gone", "data-modifying statements in WITH"),
        ("SELECT * FROM movies FOR UPDATE", "read-only transaction|permission denied"),
        ("SELECT nextval('drift_alerts_id_seq')", "permission denied"),
        ("SELECT setval('drift_alerts_id_seq', 99)", "permission denied"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied"),
        ("SELECT query_to_xml('DELETE FROM movies', true, true, '')", "not allowed in a non-volatile function"),
        ("SELECT set_config('transaction_read_only', 'off', true)", "read-write mode"),
        ("SELECT rolpassword FROM pg_authid", "permission denied"),
    ],
)
def test_whatever_would_change_something_is_refused(question: Ask, query: str, reason: str) -> None:
    with pytest.raises(QuestionRefusedError, match=reason) as refused:
        question(query)
    assert "\n" not in str(refused.value)


def test_a_session_s_lock_does_not_outlive_the_question(question: Ask) -> None:
    question("SELECT pg_advisory_lock(1)")  # the fixture looks
    with pytest.raises(QuestionRefusedError, match="division by zero"):
        question("SELECT pg_advisory_lock(2), 1 / (movieid - 1) FROM movies")


def test_a_question_that_leaves_the_role_gets_no_answer(shared_url: str) -> None:
    with pytest.raises(QuestionRefusedError, match="left role analyst"):
        ask(shared_url, "SELECT set_config('role', 'none', true)", embedded=False)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT *\n  FORM movies", 'syntax error at or near "FORM", line 2, column 3: FORM movies'),
        ("SELECT nope FROM movies", 'column "nope" does not exist, line 1, column 8: SELECT nope FROM movies'),
        ("SELECT * FROM absent", 'relation "absent" does not exist, line 1, column 15: SELECT * FROM absent'),
        ("SELECT (", "syntax error at end of input, at the end of the query"),
    ],
)
def test_an_error_names_its_place(question: Ask, query: str, message: str) -> None:
    with pytest.raises(QuestionRefusedError) as error:
        question(query)
    assert str(error.value) == message


def test_a_question_that_takes_too_long_is_ended(database_url_18: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readonly_query, "TIMEOUT_S", 0.2)
    with pytest.raises(QuestionRefusedError, match="no answer within"):
        ask(database_url_18, "SELECT pg_sleep(30)", embedded=True)


def test_the_analyst_s_own_connection_can_do_no_more(database_url_18: str) -> None:
    with psycopg.connect(database_url_18, user="analyst", autocommit=True) as connection:
        for order in (
            "INSERT INTO movies VALUES (9, 'Nine')",
            "CREATE TEMP TABLE made (n int)",
            "CREATE TABLE made (n int)",
            "COPY movies TO PROGRAM 'cat'",
            "SET ROLE ml_pipeline",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(order.encode())
