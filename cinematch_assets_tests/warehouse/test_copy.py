import threading

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from cinematch_assets.warehouse.connection import UnsafeConnectionError, WarehouseUnavailableError
from cinematch_assets.warehouse.copy import copy_columns, copy_rows, read_frame, read_frames, without_ratings_indexes
from cinematch_assets_tests.support.servers import free_port, wait_until

ROWS = pd.DataFrame(
    {
        "userId": [1, 2, 2**31 - 1],
        "movieId": [10, 20, 30],
        "rating": [0.5, 4.0, 5.0],
        "timestamp": [0, 978300760, 2**53],
    }
).astype({"userId": "int32", "movieId": "int32"})
QUERY = "SELECT userid, movieid, rating, timestamp FROM ratings ORDER BY userid"


def copy_ratings(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        columns = {name: ROWS[name].to_numpy() for name in ROWS}
        assert copy_columns(connection, sql.Identifier("ratings"), columns, {"data_split": "train"}) == len(ROWS)


def test_rows_come_out_as_they_went_in(database_url: str) -> None:
    copy_ratings(database_url)
    pd.testing.assert_frame_equal(read_frame(database_url, QUERY, list(ROWS)), ROWS)
    splits = read_frame(database_url, "SELECT DISTINCT data_split FROM ratings")
    assert splits.to_dict("list") == {"data_split": ["train"]}


def test_nothing_and_null_come_out_too(database_url: str) -> None:
    assert read_frame(database_url, QUERY, list(ROWS)).shape == (0, 4)
    assert copy_columns_of_nothing(database_url) == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = iter([(1, "A\tB\\", None), (2, "C", "Drama")])
        assert copy_rows(connection, sql.Identifier("movies"), ("movieId", "title", "genres"), rows) == 2
    found = read_frame(database_url, "SELECT movieid, title, genres FROM movies ORDER BY movieid")
    assert found["title"].tolist() == ["A\tB\\", "C"]
    assert found["genres"].isna().tolist() == [True, False]


def copy_columns_of_nothing(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        columns = {name: ROWS[name].to_numpy()[:0] for name in ROWS}
        return copy_columns(connection, sql.Identifier("ratings"), columns, {"data_split": "test"})


def test_what_a_column_refuses_leaves_nothing(database_url_18: str) -> None:
    columns = {name: ROWS[name].to_numpy() for name in ROWS} | {"rating": (ROWS["rating"] + 1).to_numpy()}
    with psycopg.connect(database_url_18, autocommit=True) as connection, pytest.raises(psycopg.errors.CheckViolation):
        copy_columns(connection, sql.Identifier("ratings"), columns, {"data_split": "train"})
    assert read_frame(database_url_18, "SELECT count(*) AS rows FROM ratings")["rows"].tolist() == [0]


def copy_ratings_during_a_sleep(url: str) -> None:
    """Copy rows as soon as another session sleeps in a query."""
    asleep = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: connection.execute(asleep).fetchone() is not None, "the query that sleeps")
    copy_ratings(url)


def test_several_queries_see_one_moment(database_url_18: str) -> None:
    # Rows are committed while the first query sleeps; the second one must not see them either.
    writer = threading.Thread(target=copy_ratings_during_a_sleep, args=[database_url_18])
    writer.start()
    query = "SELECT count(*) AS rows FROM ratings"
    slept, after = read_frames(database_url_18, (f"{query}, pg_sleep(1)", ()), (query, ()))
    writer.join()
    assert (slept["rows"].tolist(), after["rows"].tolist()) == ([0], [0])
    assert read_frame(database_url_18, query)["rows"].tolist() == [3]


def test_a_fault_in_a_bulk_read_is_one_sentence(database_url_18: str) -> None:
    with pytest.raises(WarehouseUnavailableError, match=r'/t_\w+: .*relation "nothing" does not exist') as caught:
        read_frame(database_url_18, "SELECT * FROM nothing")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    port = free_port()
    with pytest.raises(WarehouseUnavailableError, match=rf"^127\.0\.0\.1:{port}/movies: Connection refused") as caught:
        read_frame(f"postgresql://anna:secret@127.0.0.1:{port}/movies", QUERY)
    assert "secret" not in str(caught.value)


def test_bulk_reads_do_not_go_unencrypted_to_another_machine() -> None:
    with pytest.raises(UnsafeConnectionError, match=r"db\.example\.org is not this machine"):
        read_frame("postgresql://db.example.org/movies", QUERY)


def test_indexes_are_as_before_after_a_load_and_after_a_failed_one(database_url: str) -> None:
    def definitions(connection: psycopg.Connection) -> set[str]:
        found = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'ratings'").fetchall()
        return {definition for (definition,) in found}

    def failed_load(connection: psycopg.Connection) -> None:
        with connection.transaction(), without_ratings_indexes(connection):
            raise KeyboardInterrupt

    with psycopg.connect(database_url, autocommit=True) as connection:
        before = definitions(connection)
        with connection.transaction(), without_ratings_indexes(connection):
            assert definitions(connection) == set()
        assert definitions(connection) == before
        assert len(before) >= 4
        with pytest.raises(KeyboardInterrupt):
            failed_load(connection)
        assert definitions(connection) == before
