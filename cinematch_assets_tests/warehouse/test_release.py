import numpy as np
import psycopg
import pytest

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.drift_alerts import read_baseline_counts
from cinematch_assets.warehouse.landed_files import find_newest_landed
from cinematch_assets.warehouse.rejected_rows import read_rejected_rows, replace_rejected_rows
from cinematch_assets.warehouse.release import ReleaseConflictError, find_existing_pairs, release_ratings
from cinematch_assets.warehouse.table_loads import ReleasedContent
from cinematch_assets_tests.support.warehouse_rows import (
    count,
    land,
    load,
    load_file,
    make_ratings,
    merge_batch,
    read_rows,
)

NO = np.array([False])
TEXTS = ReleasedContent("a" * 32, "landed/released/a.json")
LATE = make_ratings((9, 99, 4.0, 900))


def reject(connection: psycopg.Connection, path: str, batch_id: str | None = None) -> None:
    """One row of the file was rejected, as its counts say."""
    file = find_newest_landed(connection, path.rsplit(".", 1)[0])
    table, row = "ratings_buffer" if batch_id else "ratings", RejectedRow(2, "9,99,4.0,900", ("x",))
    replace_rejected_rows(connection, table, {file.content: [row]}, batch_id)
    connection.execute("UPDATE ops.files SET rows_read = rows_read + 1, rows_rejected = 1 WHERE path = %s", [path])


def test_a_released_row_of_the_file_is_in_the_table_and_counted(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((1, 1, 4.0, 1)))
    reject(connection, "ratings.csv")
    rows = read_rejected_rows(connection, path="ratings.csv")
    assert [(row.row_number, row.reasons, row.file_state) for row in rows] == [(2, ["x"], "loaded")]
    release_ratings(connection, rows, LATE, NO, texts=TEXTS)
    assert (9, 99, 4.0, 900) in read_rows(connection, "ratings WHERE data_split = 'train' AND batch_id IS NULL")
    counts = read_rows(connection, "ops.files", "rows_read, rows_accepted, rows_rejected")
    assert counts == [(2, 2, 0)]
    assert read_rejected_rows(connection) == []
    assert sum(read_baseline_counts(connection)) == count(connection, "ratings WHERE data_split = 'train'")


@pytest.mark.parametrize("place", ["buffer", "merged"])
def test_a_released_row_of_a_batch_goes_where_the_batch_is(connection: psycopg.Connection, place: str) -> None:
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    reject(connection, "batches/w1.csv", "w1")
    if place == "merged":
        load_file(connection, make_ratings())
        merge_batch(connection, "w1")
    release_ratings(connection, read_rejected_rows(connection), LATE, NO, texts=TEXTS)
    table = "ratings_buffer" if place == "buffer" else "ratings"
    assert read_rows(connection, f"{table} WHERE batch_id = 'w1'") == [(1, 1, 4.0, 1), (9, 99, 4.0, 900)]
    assert read_rows(connection, "ops.batches", "rows, place") == [(2, place)]
    if place == "merged":
        assert sum(read_baseline_counts(connection)) == 2


def test_a_row_is_released_once(url: str) -> None:
    with connect(url) as connection:
        load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
        reject(connection, "batches/w1.csv", "w1")
        rows = read_rejected_rows(connection)
        release_ratings(connection, rows, LATE, NO, texts=TEXTS)
        with pytest.raises(ReleaseConflictError, match="released meanwhile"):
            release_ratings(connection, rows, LATE, NO, texts=TEXTS)
        assert count(connection, "ratings_buffer") == 2


def test_a_row_of_a_former_content_is_not_released(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    reject(connection, "batches/w1.csv", "w1")
    rows = read_rejected_rows(connection)
    load(connection, "w1", make_ratings((1, 1, 5.0, 1)), "b")
    with pytest.raises(ReleaseConflictError, match="newer content"):
        release_ratings(connection, rows, LATE, NO, texts=TEXTS)
    assert read_rows(connection, "ratings_buffer") == [(1, 1, 5.0, 1)]


def test_pairs_that_are_there_already_are_known(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((1, 1, 4.0, 1)))
    load(connection, "w1", make_ratings((2, 2, 4.0, 1)))
    asked = make_ratings((1, 1, 1.0, 9), (2, 2, 1.0, 9))
    assert find_existing_pairs(connection, None, asked).tolist() == [True, False]
    assert find_existing_pairs(connection, "w1", asked).tolist() == [False, True]


def test_rows_are_listed_up_to_a_limit_and_by_id(connection: psycopg.Connection) -> None:
    file = land(connection, "ratings.csv")
    replace_rejected_rows(connection, "ratings", {file.content: [RejectedRow(n, f"{n}", ("x",)) for n in range(1, 6)]})
    assert len(read_rejected_rows(connection, limit=3)) == 3
    every = read_rejected_rows(connection)
    assert [row.row_number for row in every] == [1, 2, 3, 4, 5]
    assert read_rejected_rows(connection, ids=[every[2].id]) == [every[2]]
    assert read_rejected_rows(connection, path="movies.csv") == []
