"""The binary stream that numpy lays out, against what Postgres reads from it."""

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg import sql

from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.copy import copy_columns, copy_rows, read_frame
from cinematch_assets_tests.support.warehouse_rows import read_rows

TABLE = sql.Identifier("layouts")
COLUMNS: dict[str, NDArray[np.generic]] = {
    "small": np.array([-(2**15), 0, 2**15 - 1], np.int16),
    "whole": np.array([-(2**31), 0, 2**31 - 1], np.int32),
    "large": np.array([-(2**63), 0, 2**63 - 1], np.int64),
    "single": np.array([-1.5, 0.1, np.inf], np.float32),
    "double": np.array([1e-300, 0.1, -np.inf], np.float64),
}


@pytest.fixture
def table(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute(
        "CREATE TABLE layouts (small SMALLINT, whole INTEGER, large BIGINT, single REAL, double FLOAT, text TEXT)"
    )
    return connection


def test_every_width_arrives_at_its_ends(table: psycopg.Connection) -> None:
    assert copy_columns(table, TABLE, COLUMNS) == 3
    rows = table.execute("SELECT small, whole, large, single, double, text FROM layouts ORDER BY small").fetchall()
    expected = [values.tolist() for values in COLUMNS.values()]
    for number, row in enumerate(rows):
        assert list(row[:3]) == [column[number] for column in expected[:3]]
        assert np.float32(row[3]) == COLUMNS["single"][number]
        assert row[4] == COLUMNS["double"][number]
        assert row[5] is None


@pytest.mark.parametrize("rows", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_no_row_is_lost_where_one_block_ends(table: psycopg.Connection, rows: int) -> None:
    values = np.arange(rows, dtype=np.int32)
    assert copy_columns(table, TABLE, {"whole": values, "large": values.astype(np.int64) * 2**20}) == rows
    facts = table.execute(
        "SELECT count(*), count(DISTINCT whole), bool_and(large = whole * 2^20) FROM layouts"
    ).fetchone()
    assert facts == (rows, rows, True if rows else None)


@pytest.mark.parametrize("text", ["train", "", "Amélie 七人の侍 🎬", "with\ttab\nand line", "a" * 10_000])
def test_a_constant_text_is_the_same_in_each_row(table: psycopg.Connection, text: str) -> None:
    copy_columns(table, TABLE, {"whole": np.arange(3, dtype=np.int32)}, {"text": text})
    assert read_rows(table, "layouts", "whole, text") == [(n, text) for n in range(3)]


def test_columns_that_are_no_blocks_of_memory_arrive_too(table: psycopg.Connection) -> None:
    wide = np.arange(30, dtype=np.int32).reshape(10, 3)
    copy_columns(table, TABLE, {"whole": wide[::-2, 1], "double": wide[::-2, 2].astype(">f8").astype(np.float64)})
    assert read_rows(table, "layouts", "whole, double") == [
        (int(a), float(b)) for _, a, b in sorted(wide[::-2].tolist())
    ]


def test_rows_of_texts_and_nulls_arrive_as_they_are(table: psycopg.Connection) -> None:
    texts = ["plain", "", "tab\t", "line\nline", "back\\slash", "\\N", "quote\"'", "七人の侍 🎬", None]
    assert copy_rows(table, TABLE, ("whole", "text"), enumerate(texts)) == len(texts)
    assert [text for _, text in table.execute("SELECT whole, text FROM layouts ORDER BY whole").fetchall()] == texts


def test_many_rows_come_back_as_they_went(url: str) -> None:
    with connect(url) as connection:
        connection.execute("CREATE TABLE layouts (whole INTEGER, double DOUBLE PRECISION)")
        random = np.random.default_rng(0)
        columns = {"whole": np.arange(100_000, dtype=np.int32), "double": random.normal(size=100_000)}
        copy_columns(connection, TABLE, columns)
    frame = read_frame(url, "SELECT whole, double FROM layouts ORDER BY whole", ["whole", "double"])
    np.testing.assert_array_equal(frame["whole"].to_numpy(), columns["whole"])
    np.testing.assert_array_equal(frame["double"].to_numpy(), columns["double"])
