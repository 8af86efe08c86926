"""Dumping: passwords stay out of the process list, and contents are compared by their texts."""

from pathlib import Path

import psycopg
import pytest

from cinematch_assets.warehouse import dump
from cinematch_assets.warehouse.dump import DumpError, dump_database, read_tables, restore_database
from cinematch_assets_tests.support.servers import Postgres, migrated_template


def test_the_digest_of_a_table_is_of_its_rows_and_not_of_their_order(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for name, rows in (("a", "(1, 4.0), (2, NULL)"), ("b", "(2, NULL), (1, 4.0)"), ("c", "(2, NULL), (1, 4.5)")):
            connection.execute(f"CREATE TABLE {name} (id int, rating real)".encode())
            connection.execute(f"INSERT INTO {name} VALUES {rows}".encode())
        connection.execute("CREATE TABLE empty (id int)")
        found = read_tables(connection)
    assert (found["public.a"].rows, found["public.empty"].rows) == (2, 0)
    assert found["public.a"] == found["public.b"]
    assert found["public.a"].digest != found["public.c"].digest


@pytest.mark.faults("backup")
def test_a_password_is_in_the_environment_and_not_among_the_arguments() -> None:
    with dump._program_environment("postgresql://ada:s3cret@db.example/c?sslmode=require") as (address, environment):
        assert address == "--dbname=dbname=c host=db.example sslmode=require"
        assert (environment["PGUSER"], environment["PGPASSWORD"]) == ("ada", "s3cret")
    with (
        pytest.raises(DumpError, match="sslpassword would be in the process list"),
        dump._program_environment("postgresql://ada@db.example/c?sslpassword=x"),
    ):
        pass


def test_what_pg_dump_says_is_the_error(database_url_18: str, tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=r"pg_dump failed: .*nowhere"):
        dump_database(database_url_18, tmp_path / "nowhere" / "dump")


def test_what_an_older_server_does_not_know_is_left_out() -> None:
    script = (
        "SET transaction_timeout = 0;\nGRANT SELECT,MAINTAIN,UPDATE ON TABLE t TO a;\nGRANT MAINTAIN ON TABLE t TO a;\n"
        "ALTER TABLE ONLY t ALTER COLUMN id SET (pg_attver=7);\n"
    )
    assert dump._for_server(script, 150_020) == "GRANT SELECT,UPDATE ON TABLE t TO a;\n\n\n"
    assert "transaction_timeout" in dump._for_server(script, 180_000)
    assert "pg_attver" not in dump._for_server(script, 180_000)


_OPEN_TO_ALL = """
SELECT proname FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner)))
WHERE grantee = 0 AND proname IN ('lo_create', 'lo_from_bytea', 'lowrite', 'pg_logical_emit_message')
"""


@pytest.mark.parametrize(("source", "target"), [("postgres15", "postgres18"), ("postgres18", "postgres15")])
def test_functions_whose_arguments_differ_between_releases_are_closed_after_a_restore(
    source: str, target: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    former: Postgres = request.getfixturevalue(source)
    server: Postgres = request.getfixturevalue(target)
    with former.database(migrated_template(former)) as url, server.database() as empty:
        contents = dump_database(url, tmp_path / "dump")
        restore_database(empty, tmp_path, tmp_path / "dump", contents.tables)
        with psycopg.connect(empty) as connection:
            assert connection.execute(_OPEN_TO_ALL).fetchall() == []
