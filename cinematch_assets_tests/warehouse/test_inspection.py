import psycopg

from cinematch_assets.schemas.movies import MOVIES
from cinematch_assets.schemas.ratings import RATINGS
from cinematch_assets.schemas.table import Column, Table
from cinematch_assets.warehouse.inspection import (
    Orphans,
    column_differences,
    count_orphans,
    count_rows,
    read_split_counts,
)
from cinematch_assets_tests.support.warehouse_rows import load, load_file, make_random_ratings, make_ratings


def test_rows_are_counted_by_table_and_schema(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(30))
    assert (count_rows(connection, "ratings"), count_rows(connection, "netflix", "movies")) == (30, 0)


def test_splits_leave_merged_batches_out(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(1_000))
    connection.execute("INSERT INTO ratings VALUES (1, 1, 4.0, 1, 'train', now(), 'w1')")
    splits = {split.name: split for split in read_split_counts(connection)}
    assert splits["train"].rows + splits["test"].rows == 1_000
    assert 0.5 <= splits["train"].mean <= 5.0


def test_ratings_of_unknown_movies_are_counted(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO movies VALUES (10, 'Heat (1995)')")
    load_file(connection, make_ratings((1, 10, 4.0, 1), (1, 11, 4.0, 1), (2, 11, 4.0, 1)))
    load(connection, "w1", make_ratings((1, 12, 4.0, 1), (1, 10, 4.0, 1)))
    assert count_orphans(connection) == Orphans(ratings=2, buffer=1)


def test_a_table_is_as_declared_or_the_difference_is_told(connection: psycopg.Connection) -> None:
    assert column_differences(connection, "public", RATINGS) == []
    assert column_differences(connection, "public", MOVIES) == []
    other = Table("movies", "", (Column("movieId", "int64", "BIGINT", ""), Column("year", "int32", "INTEGER", "")))
    assert column_differences(connection, "public", other) == [
        "movies.movieId is integer and not BIGINT",
        "movies.year is missing",
    ]
