"""Every change of the tables that training reads is on record, in order, in the transaction that makes it."""

from pathlib import Path

import psycopg

from cinematch_assets.warehouse.migrations import FOLDER
from cinematch_assets.warehouse.movies import write_features
from cinematch_assets.warehouse.table_loads import RecordedLoad, delete_loads, list_loads, read_genre_basis
from cinematch_assets_tests.support.warehouse_rows import land, load, load_file, make_ratings, md5_of
from cinematch_assets_tests.warehouse.test_movies import BASIS, FIRST
from cinematch_assets_tests.warehouse.test_movies import load as load_movies_frame

NUMBERS = [0.5] * 10


def changes(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return [(each.for_table, each.kind) for each in list_loads(connection)]


def test_contents_are_recorded_with_what_they_were_checked_against(connection: psycopg.Connection) -> None:
    load_movies_frame(connection, FIRST)
    write_features(connection, BASIS, 0.9, [(1, NUMBERS)], known_movies=1)
    load_file(connection, make_ratings((1, 1, 4.0, 1)))
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    expected = [("movies", "content"), ("movies", "features"), ("ratings", "content"), ("batches/w1", "content")]
    assert changes(connection) == expected
    first, features, *_ = list_loads(connection)
    assert (first.kept, first.path, features.known_movies, features.genre_basis) == (
        0,
        "movies.csv",
        first.id,
        BASIS["version"],
    )
    assert read_genre_basis(connection, str(features.genre_basis)) == BASIS


def test_an_unchanged_batch_and_equal_features_are_no_new_loads(connection: psycopg.Connection) -> None:
    load_movies_frame(connection, FIRST)
    for _ in range(2):
        write_features(connection, BASIS, 0.9, [(1, NUMBERS)], known_movies=1)
        load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    assert changes(connection) == [("movies", "content"), ("movies", "features"), ("batches/w1", "content")]


def test_a_load_that_fails_is_not_on_record(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
        assert changes(connection) == [("batches/w1", "content")]
    assert list_loads(connection) == []


def test_old_loads_are_deleted_unless_they_are_kept(connection: psycopg.Connection) -> None:
    for content in "abc":
        load_file(connection, make_ratings((1, 1, 4.0, 1)), content=content)
    first, second, third = (each.id for each in list_loads(connection))
    connection.execute("UPDATE ops.table_loads SET loaded_at = loaded_at - INTERVAL '9 days' WHERE id < %s", [third])
    assert delete_loads(connection, [first], days=5) == 1
    assert [each.id for each in list_loads(connection)] == [first, third]
    assert second not in {first, third}


def test_loads_of_former_releases_are_taken_from_the_ledger(connection: psycopg.Connection) -> None:
    """Both files of movies count, and of ratings and batches what the tables hold."""
    load_movies_frame(connection, FIRST, "a")
    load_file(connection, make_ratings((1, 1, 4.0, 1)), content="a")
    load_file(connection, make_ratings((1, 2, 4.0, 1)), content="b")
    write_features(connection, BASIS, 0.9, [(1, NUMBERS)])
    load_movies_frame(connection, FIRST, "b")
    land(connection, "batches/w1.csv", "only landed")
    for name in ("0018.table-loads.rollback.sql", "0018.table-loads.sql"):
        connection.execute((Path(FOLDER) / name).read_bytes())
    loads = list_loads(connection)
    assert [(each.for_table, each.kind) for each in loads] == [
        ("movies", "content"),
        ("ratings", "content"),
        ("movies", "content"),
        ("movies", "features"),
    ]
    assert loads[-1] == RecordedLoad(4, "movies", "features", None, None, None, 3, None, None, BASIS["version"])
    assert [each.md5 for each in loads[:3]] == [md5_of("a"), md5_of("b"), md5_of("b")]
