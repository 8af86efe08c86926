import psycopg
import pytest

from cinematch_assets.warehouse.batch_removal import (
    NoSuchBatchError,
    find_removed_content,
    read_dependents,
    remove_batch,
)
from cinematch_assets.warehouse.batches import load_batch
from cinematch_assets.warehouse.landed_files import list_processed_contents, list_referenced_objects
from cinematch_assets_tests.support.warehouse_rows import (
    land,
    load,
    load_file,
    make_ratings,
    merge_batch,
    promote_candidate,
    read_rows,
)

ROWS = make_ratings((1, 1, 3.0, 1), (2, 1, 4.0, 2), (2, 2, 4.0, 3))


def test_versions_that_learned_from_a_merged_batch_depend_on_it_too(connection: psycopg.Connection) -> None:
    load(connection, "w1", ROWS)
    first = merge_batch(connection, "w1")
    second, _ = promote_candidate(connection, "later")
    found = read_dependents(connection, "w1")
    assert (found.rows, found.users, found.users_with_lists) == (3, 2, 0)
    assert (found.merged_by, found.versions, found.champion) == (first, [first, second], second)


def test_other_rows_stay_and_the_content_stays_in_the_store(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((9, 9, 3.0, 1)))
    load(connection, "w1", ROWS, "one")
    load(connection, "w2", ROWS, "two")
    merge_batch(connection, "w1")
    assert remove_batch(connection, "w1", "a test") == 3
    assert len(read_rows(connection, "ratings")) == 1
    assert len(read_rows(connection, "ratings_buffer")) == 3
    removed = find_removed_content(connection, "w1")
    assert removed.content in list_processed_contents(connection)
    assert removed.store_key in list_referenced_objects(connection)
    with pytest.raises(NoSuchBatchError, match="w2 was not removed"):
        find_removed_content(connection, "w2")


def test_the_same_content_stays_out_until_it_is_restored(connection: psycopg.Connection) -> None:
    load(connection, "w1", ROWS)
    remove_batch(connection, "w1", "a test")
    load(connection, "w1", ROWS)
    assert read_rows(connection, "ratings_buffer") == []
    load_batch(connection, "w1", ROWS, land(connection, "batches/w1.csv"), restored="it was right")
    assert len(read_rows(connection, "ratings_buffer")) == 3
