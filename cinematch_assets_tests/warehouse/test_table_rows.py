"""Rows of tables in blocks, in the declared types."""

import psycopg
import pytest

from cinematch_assets.schemas.movies import MOVIES
from cinematch_assets.schemas.netflix_movies import NETFLIX_MOVIES
from cinematch_assets.schemas.ratings import RATINGS
from cinematch_assets.warehouse.table_rows import read_table_blocks


@pytest.mark.parametrize(
    ("schema", "table", "row"),
    [
        ("public", MOVIES, "INSERT INTO movies VALUES (1, 'Heat', NULL, '[1]')"),
        ("public", RATINGS, "INSERT INTO ratings VALUES (1, 2, 3.5, 4, 'train', now(), NULL)"),
        ("netflix", NETFLIX_MOVIES, "INSERT INTO netflix.movies (title, genre, rating) VALUES ('Heat', 'Action', 8.2)"),
    ],
)
def test_a_block_has_the_declared_columns_and_types(database_url: str, schema: str, table: object, row: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(row.encode())
    (block,) = read_table_blocks(database_url, schema, table)
    assert tuple(block.columns) == table.column_names
    for column in table.columns:
        expected = "object" if column.dtype == "str" else column.dtype
        assert str(block[column.name].dtype) == expected, column.name


def test_many_rows_come_in_blocks_and_a_batch_alone(database_url_18: str) -> None:
    with psycopg.connect(database_url_18, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO ratings SELECT n, 1, 4, 1, 'train', now(), CASE WHEN n <= 5 THEN 'it''s' END "
            "FROM generate_series(1, 300000) n"
        )
    sizes = [len(block) for block in read_table_blocks(database_url_18, "public", RATINGS)]
    assert sum(sizes) == 300_000
    assert len(sizes) > 1
    (batch,) = read_table_blocks(database_url_18, "public", RATINGS, "it's")
    assert batch["userId"].tolist() == [1, 2, 3, 4, 5]
