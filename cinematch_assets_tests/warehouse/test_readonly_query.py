from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from cinematch_assets.warehouse import readonly_query
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.readonly_query import QuestionRefusedError, open_answer
from cinematch_assets_tests.support.questions import ask

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
    own = url if request.param else f"{url}{'&' if '?' in url else '?'}user=ml_pipeline"
    yield lambda query: ask(own, query, embedded=request.param)
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


ATTACKS = (
    "COPY movies TO STDOUT",
    "COPY (SELECT 1) TO '/tmp/x'",
    "COPY movies FROM '/etc/passwd'",
    "DO $$ BEGIN PERFORM 1; END $$",
    "SELECT set_config('role','postgres',false)",
    "SELECT set_config('transaction_read_only','off',false)",
    "SELECT set_config('transaction_read_only','off',true)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_create(1)",
    "SELECT * FROM dblink('','SELECT 1') AS t(x int)",
    "CREATE EXTENSION dblink",
    "CREATE TEMP TABLE x(a int)",
    "SELECT * INTO TEMP x FROM movies",
    "EXPLAIN ANALYZE DELETE FROM movies",
    "EXPLAIN ANALYZE INSERT INTO movies VALUES (1,'x','y')",
    "EXPLAIN (ANALYZE) SELECT pg_sleep(0.01)",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM movies",
    "SELECT 1;-- x",
    "DECLARE c CURSOR FOR SELECT 1",
    "WITH x AS (DELETE FROM movies RETURNING 1) SELECT * FROM x",
    "BEGIN",
    "COMMIT",
    "ROLLBACK; SELECT 1",
    "SET ROLE NONE",
    "RESET ROLE",
    "RESET ALL",
    "SET SESSION AUTHORIZATION DEFAULT",
    "PREPARE p AS SELECT 1",
    "LISTEN x",
    "NOTIFY x",
    "VACUUM",
    "LOCK TABLE movies",
    "CALL x()",
    "SHOW data_directory",
    "SELECT current_setting('data_directory')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_reload_conf()",
    "SELECT query_to_xml('DELETE FROM movies',true,true,'')",
    "SELECT query_to_xml('SELECT rolpassword FROM pg_authid',true,true,'')",
    "SELECT pg_logical_emit_message(false,'x',repeat('x',1000))",
    "SELECT pg_logical_emit_message(true,'x','\\x00'::bytea)",
    "SELECT nextval('ops.audit_id_seq')",
    "SELECT setval('ops.audit_id_seq',1)",
    "SELECT pg_export_snapshot()",
    "SELECT ops.build_ratings_indexes()",
    "MERGE INTO movies USING (SELECT 1) s ON false WHEN NOT MATCHED THEN DO NOTHING",
    "SELECT * FROM movies FOR UPDATE",
    "FETCH ALL FROM c",
    "CLOSE ALL",
    "DISCARD ALL",
    "",
    "   ",
    "--",
    "SELECT E'\\x00'",
    "SELECT chr(0)",
    "EXPLAIN SELECT 1",
    "SELECT pg_stat_file('x')",
    "SELECT * FROM pg_ls_logdir()",
    "SELECT pg_current_logfile()",
    "ALTER SYSTEM SET x=1",
    "SECURITY LABEL ON TABLE movies IS ''",
    "COMMENT ON TABLE movies IS 'x'",
    "REASSIGN OWNED BY analyst TO analyst",
    "GRANT SELECT ON movies TO public",
    "CREATE TABLE x AS SELECT 1",
    "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z",
    "LOAD '/tmp/x.so'",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_switch_wal()",
    "SELECT pg_promote()",
    "SELECT pg_rotate_logfile()",
    "SELECT currval('ops.audit_id_seq')",
    "SELECT ts_stat('DELETE FROM movies')",
    "SELECT table_to_xml('pg_authid', true, true, '') FROM (SELECT set_config('role','none',false)) x",
    "SELECT * FROM (DELETE FROM movies RETURNING *) x",
    "SELECT 1 UNION SELECT 2 FOR SHARE",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_user_mapping",
    "SELECT pg_hba_file_rules()",
    "SELECT * FROM pg_file_settings",
    "SELECT cursor_to_xml('c', 1, true, true, '')",
)
"""Statements that would write, read files, change the session or other sessions, or are not one question."""
HARMLESS = (
    "SELECT set_config('statement_timeout','0',false)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock(2)",
    "SELECT pg_advisory_xact_lock(3)",
    "/* ; */ SELECT 1 -- ;",
    "SELECT ';'",
    "SELECT * FROM pg_stat_activity WHERE query LIKE '%password%' LIMIT 1",
    "SELECT txid_current()",
    "TABLE movies",
    "VALUES (1)",
    "SELECT pg_notify('a','b')",
    "SELECT * FROM ops.dropped_indexes",
    "SELECT 'a' FOR UPDATE",
    "SELECT 1 AS a, 2 AS a",
    "SELECT 1",
)
"""What is answered and leaves nothing: no row, no lock, no setting that counts for another question."""


@pytest.mark.slow
def test_other_attacks_are_refused_in_a_sentence(question: Ask) -> None:
    """The fixture looks for rows, tables and locks that they left."""
    answered = {query: answer for query in ATTACKS if isinstance(answer := _answer(question, query), list)}
    assert answered == {}


def _answer(question: Ask, query: str) -> list[tuple[Any, ...]] | str:
    try:
        return question(query)[1]
    except QuestionRefusedError as refused:
        return str(refused)


def test_what_is_answered_changes_nothing(question: Ask) -> None:
    for query in HARMLESS:
        question(query)
    assert question("SELECT current_setting('transaction_read_only')")[1] == [("on",)]
    with pytest.raises(QuestionRefusedError):
        question("SELECT nextval('ops.audit_id_seq')")


def test_a_session_s_lock_does_not_outlive_the_question(question: Ask) -> None:
    question("SELECT pg_advisory_lock(1)")  # the fixture looks
    with pytest.raises(QuestionRefusedError, match="division by zero"):
        question("SELECT pg_advisory_lock(2), 1 / (movieid - 1) FROM movies")


def test_a_question_that_leaves_the_role_gets_no_answer(shared_url: str) -> None:
    own = f"{shared_url}{'&' if '?' in shared_url else '?'}user=ml_pipeline"
    with pytest.raises(QuestionRefusedError, match="left role analyst"):
        ask(own, "SELECT set_config('role', 'none', true)")


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


def test_the_time_out_is_for_the_whole_query_and_not_for_each_part(
    database_url_18: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readonly_query, "TIMEOUT_S", 0.5)
    with pytest.raises(QuestionRefusedError, match="no answer within"):
        ask(database_url_18, "SELECT pg_sleep(0.05), generate_series(1, 100)", embedded=True)
    with pytest.raises(QuestionRefusedError, match="no answer within"):
        ask(database_url_18, "SELECT set_config('statement_timeout', '0', true), pg_sleep(2)", embedded=True)


def test_an_answer_is_cut_at_a_number_of_rows_and_of_bytes(
    database_url_18: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "SELECT generate_series(1, 1000000000) AS n"  # 100 s and 36 GB as a whole
    with open_answer(database_url_18, endless, embedded=True, max_rows=1_000) as answer:
        assert [n for (n,) in answer.rows] == list(range(1, 1_001))
        assert answer.cut == "there are more than 1,000 rows: add a LIMIT, or raise --max-rows"
    monkeypatch.setattr(readonly_query, "MAX_ANSWER_BYTES", 2**20)
    wide = "SELECT repeat('x', 100000) AS x, generate_series(1, 1000000000)"
    with open_answer(database_url_18, wide, embedded=True, max_rows=200) as answer:
        assert {len(x) for x, _ in answer.rows} == {100_000}
        assert answer.cut == "the answer was cut at 1 MB after 10 rows: ask for less"
    with open_answer(database_url_18, "VALUES (1), (2)", embedded=True, max_rows=2) as answer:
        assert list(answer.rows) == [(1,), (2,)]
        assert answer.cut is None


@pytest.mark.parametrize("wide", ["repeat('x' || n, 9000000)", "array_agg(n)", "ROW(repeat('x', 9000000), n)"])
def test_a_row_that_is_too_wide_does_not_reach_the_client(question: Ask, wide: str) -> None:
    with pytest.raises(QuestionRefusedError, match=r"row 1 has \d+ MB, and 4 is the most"):
        question(f"SELECT {wide} FROM generate_series(1, {2_000_000 if 'agg' in wide else 1}) AS n")


@pytest.mark.parametrize(
    ("query", "row"),
    [
        (
            "SELECT 1 AS a, 2 AS a, NULL, 'x', ARRAY[1, 2], '{\"a\": 1}'::jsonb, 1.50",
            (1, 2, None, "x", [1, 2], {"a": 1}, 1.5),
        ),
        ("SELECT pg_sleep(0), ROW(1, 'a'), int4range(1, 3) IS NULL -- the end", ("", ("1", "a"), False)),
        ("SELECT", ()),
        ("TABLE movies LIMIT 1", (1, "Heat (1995)", "Crime", None)),
        ("SELECT max(title) FROM movies LIMIT 1 OFFSET 0", ("Heat (1995)",)),
    ],
)
def test_values_of_any_type_come_through(question: Ask, query: str, row: tuple[Any, ...]) -> None:
    assert question(query)[1] == [row]


def test_an_answer_that_is_not_read_to_its_end_leaves_nothing_running(database_url_18: str) -> None:
    with open_answer(database_url_18, "SELECT generate_series(1, 100000000)", embedded=True) as answer:
        assert next(answer.rows) == (1,)
    with connect(database_url_18) as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cinematch sql' AND state = 'active'"
        assert connection.execute(running.encode()).fetchone() == (0,)


def test_a_session_of_the_platform_s_user_says_that_it_is_no_boundary(shared_url: str) -> None:
    own = f"{shared_url}{'&' if '?' in shared_url else '?'}user=ml_pipeline"
    with open_answer(own, "SELECT 1", embedded=False) as answer:
        assert answer.note is not None
        assert "CINEMATCH_ANALYST_URL" in answer.note
    with open_answer(
        own, "SELECT session_user::text", embedded=False, analyst_url=own.replace("ml_pipeline", "analyst")
    ) as answer:
        assert (answer.note, list(answer.rows)) == (None, [("analyst",)])


def test_a_superuser_s_session_is_not_asked(
    shared_url: str, database_url_18: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    escape = (
        "SELECT set_config('role', 'none', true), pg_read_file('/etc/hostname'), set_config('role', 'analyst', true)"
    )
    with pytest.raises(QuestionRefusedError, match="permission denied for function pg_read_file"):
        ask(shared_url, escape)  # no password is asked for here, so the query signs in as analyst
    with (
        pytest.raises(QuestionRefusedError, match="CINEMATCH_ANALYST_URL signs in as a superuser"),
        open_answer(shared_url, "SELECT 1", embedded=False, analyst_url=shared_url),
    ):
        pass
    with connect(database_url_18) as owner:
        owner.execute("ALTER ROLE analyst NOLOGIN")
        try:
            with pytest.raises(
                QuestionRefusedError, match=r"signs in as postgres, a superuser.*set CINEMATCH_ANALYST_URL"
            ):
                ask(database_url_18, "SELECT 1")
        finally:
            owner.execute("ALTER ROLE analyst LOGIN")


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
