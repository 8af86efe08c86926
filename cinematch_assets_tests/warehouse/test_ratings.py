import threading
import time

import numpy as np
import psycopg
import pytest

from cinematch_assets.splitting import is_test_by_hash
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.drift_alerts import read_baseline_counts
from cinematch_assets.warehouse.landed_files import find_newest_landed
from cinematch_assets.warehouse.ratings import load_ratings
from cinematch_assets_tests.support import warehouse_jobs, warehouse_rows, workers
from cinematch_assets_tests.support.warehouse_rows import (
    count,
    land,
    list_indexes,
    load_file,
    make_random_ratings,
    make_ratings,
    read_rows,
)


def test_every_row_arrives_once_with_its_split(connection: psycopg.Connection) -> None:
    ratings = make_random_ratings(12_000, seed=1)
    done = load_file(connection, ratings)
    test = is_test_by_hash(ratings["userId"].to_numpy(), ratings["movieId"].to_numpy())
    assert (done.deleted, done.train, done.test) == (0, int((~test).sum()), int(test.sum()))
    expected = sorted(
        (*row, "test" if is_test else "train")
        for row, is_test in zip(ratings.itertuples(index=False, name=None), test.tolist(), strict=True)
    )
    assert read_rows(connection, "ratings", "userid, movieid, rating, timestamp, data_split") == expected
    assert count(connection, "ratings WHERE loaded_at IS NULL OR batch_id IS NOT NULL") == 0
    file = find_newest_landed(connection, "ratings")
    assert (file.state, file.rows_read, file.rows_accepted, file.rows_rejected) == ("loaded", 12_000, 12_000, 0)


@pytest.mark.parametrize("rows", [50, 12_000])
def test_another_content_replaces_the_file_s_rows_and_no_batch_s(connection: psycopg.Connection, rows: int) -> None:
    load_file(connection, make_random_ratings(rows, seed=1), "a")
    connection.execute("INSERT INTO ratings VALUES (9, 9, 4.0, 9, 'train', now(), 'w1')")
    before = list_indexes(connection)
    done = load_file(connection, make_random_ratings(rows, seed=2), "b")
    assert done.deleted == rows
    assert count(connection, "ratings WHERE batch_id IS NULL") == rows
    assert read_rows(connection, "ratings WHERE batch_id IS NOT NULL") == [(9, 9, 4.0, 9)]
    assert list_indexes(connection) == before
    assert len(before) == 5
    assert {f.state for f in (land(connection, "ratings.csv", "a"),)} == {"superseded"}


def test_the_baseline_follows(connection: psycopg.Connection) -> None:
    load_ratings(
        connection,
        make_ratings((1, 1, 0.5, 1), (1, 2, 5.0, 1), (1, 3, 5.0, 1)),
        np.array([False, False, True]),
        land(connection, "ratings.csv"),
    )
    assert read_baseline_counts(connection) == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1)


def test_a_load_that_fails_leaves_rows_and_indexes(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(11_000, seed=1), "a")
    rows, before = count(connection, "ratings"), list_indexes(connection)
    bad = make_random_ratings(11_000, seed=2)
    bad.loc[10_999, "rating"] = 5.5
    with pytest.raises(psycopg.errors.CheckViolation):
        load_file(connection, bad, "b")
    assert count(connection, "ratings") == rows
    assert list_indexes(connection) == before
    assert find_newest_landed(connection, "ratings").state == "landed"


@pytest.mark.faults("killed-orders")
def test_a_load_that_is_killed_leaves_rows_and_indexes(url: str) -> None:
    former, new = make_random_ratings(11_000, seed=1), make_random_ratings(11_500, seed=2)
    with connect(url) as connection:
        load_file(connection, former, "a")
        before, rows = list_indexes(connection), read_rows(connection, "ratings")
        for order in (8, 10, 12, 14):
            assert workers.finish(workers.start(warehouse_jobs.load_ratings_file, url, new, "b", order)) == [-9]
            assert read_rows(connection, "ratings") == rows
            assert list_indexes(connection) == before
        assert load_file(connection, new, "b").deleted == 11_000
        assert count(connection, "ratings") == 11_500
        assert list_indexes(connection) == before


def test_readers_see_the_old_rows_or_the_new(url: str) -> None:
    sizes, seen, done = (20_000, 30_000), set(), threading.Event()

    def read() -> None:
        with connect(url) as reader:
            while not done.is_set():
                seen.add(count(reader, "ratings"))
                time.sleep(0.005)

    with connect(url) as connection:
        load_file(connection, make_random_ratings(sizes[0], seed=1), "a")
        readers = [threading.Thread(target=read) for _ in range(2)]
        for thread in readers:
            thread.start()
        for n in (1, 0, 1):
            load_file(connection, make_random_ratings(sizes[n], seed=n), f"content {n}")
        done.set()
        for thread in readers:
            thread.join()
    assert seen <= set(sizes)
    assert len(seen) == 2


def test_ml_pipeline_rebuilds_the_indexes_as_the_owner_does(url: str) -> None:
    with connect(url) as owner, connect(url, user="ml_pipeline") as pipeline:
        owner.execute("CREATE INDEX of_an_administrator ON ratings (timestamp) WHERE rating > 4")
        before = list_indexes(owner)
        assert load_file(pipeline, make_random_ratings(11_000)).deleted == 0
        assert list_indexes(owner) == before
        assert count(owner, "ratings") == 11_000
        pipeline.execute("SELECT ops.drop_ratings_indexes()")  # and nothing builds them
        assert load_file(pipeline, make_random_ratings(12_000), "b").deleted == 11_000
        assert sorted(list_indexes(owner)) == sorted(before)


def test_an_empty_file_empties_the_file_s_part(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(10), "a")
    assert load_file(connection, make_ratings(), "b").deleted == 10
    assert count(connection, "ratings") == 0
    assert warehouse_rows.count(connection, "ops.files WHERE state = 'loaded'") == 1
