import time
from collections.abc import Callable

import pandas as pd
import psycopg
import pytest

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.batches import fail_batch, load_batch, read_stored_batch, start_batch
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.drift_alerts import read_baseline_counts
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.warehouse_rows import (
    count,
    land,
    load,
    load_file,
    make_random_ratings,
    make_ratings,
    md5_of,
    merge_batch,
    read_row_versions,
    read_rows,
)

FIRST = make_ratings((1, 10, 4.0, 100), (1, 20, 3.5, 200))
OTHER = make_ratings((1, 10, 4.5, 100), (2, 30, 1.0, 300), (3, 30, 2.0, 50))
TABLES = ("ratings", "ratings_buffer", "ingestion_metadata", "ops.batches", "ops.files", "ops.rejected_rows")


def ingestion(connection: psycopg.Connection, batch_id: str) -> tuple[object, ...] | None:
    query = "SELECT status, record_count, notes FROM ingestion_metadata WHERE batch_id = %s"
    return connection.execute(query, [batch_id]).fetchone()


def test_a_batch_arrives_whole(connection: psycopg.Connection) -> None:
    done = load(connection, "w1", FIRST)
    assert (done.place, done.inserted, done.deleted, done.rows) == ("buffer", 2, 0, 2)
    assert read_rows(connection, "ratings_buffer") == [(1, 10, 4.0, 100), (1, 20, 3.5, 200)]
    assert (
        count(connection, "ratings_buffer WHERE batch_id = 'w1' AND ingested_at = (SELECT loaded_at FROM ops.batches)")
        == 2
    )
    status = ingestion(connection, "w1")
    assert status is not None
    assert status[:2] == ("completed", 2)


def test_the_same_content_again_changes_no_row(connection: psycopg.Connection) -> None:
    load(connection, "w1", FIRST)
    file = land(connection, "batches/w1.csv")
    before = {table: read_row_versions(connection, table) for table in TABLES}
    start_batch(connection, "w1", file)
    done = load_batch(connection, "w1", FIRST, file)
    assert (done.inserted, done.deleted, done.rows) == (0, 0, 2)
    assert {table: read_row_versions(connection, table) for table in TABLES} == before


def test_the_same_content_again_changes_no_merged_row(connection: psycopg.Connection) -> None:
    load(connection, "w1", FIRST)
    merge_batch(connection, "w1")
    before = read_row_versions(connection, "ratings")
    assert load(connection, "w1", FIRST).place == "merged"
    assert read_row_versions(connection, "ratings") == before
    assert count(connection, "ratings_buffer") == 0


def test_other_content_replaces_the_batch_in_the_buffer(connection: psycopg.Connection) -> None:
    load(connection, "w0", make_ratings((7, 7, 2.0, 7)))
    load(connection, "w1", FIRST)
    others = read_row_versions(connection, "ratings_buffer")[:1]
    done = load(connection, "w1", OTHER, "b")
    assert (done.inserted, done.deleted) == (3, 2)
    assert read_rows(connection, "ratings_buffer WHERE batch_id = 'w1'") == [
        (1, 10, 4.5, 100),
        (2, 30, 1.0, 300),
        (3, 30, 2.0, 50),
    ]
    assert read_row_versions(connection, "ratings_buffer")[:1] == others
    existing = read_stored_batch(connection, "w1")
    assert existing is not None
    assert (existing.md5, existing.rows) == (md5_of("b"), 3)


def test_other_content_replaces_the_batch_where_it_was_merged(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((5, 5, 1.0, 5)))
    load(connection, "w1", FIRST)
    merge_batch(connection, "w1")
    done = load(connection, "w1", OTHER, "b")
    assert (done.place, done.inserted, done.deleted) == ("merged", 3, 2)
    rows = "ratings WHERE batch_id = 'w1' AND data_split = 'train'"
    assert read_rows(connection, rows) == [(1, 10, 4.5, 100), (2, 30, 1.0, 300), (3, 30, 2.0, 50)]
    assert count(connection, "ratings_buffer") == 0
    assert count(connection, "ratings") == 4
    trained = read_rows(connection, "ratings WHERE data_split = 'train'", "rating")
    assert sum(read_baseline_counts(connection)) == len(trained)


def test_content_that_comes_back_is_loaded_again(connection: psycopg.Connection) -> None:
    for content, rows in (("a", FIRST), ("b", OTHER), ("a", FIRST)):
        load(connection, "w1", rows, content)
    assert read_rows(connection, "ratings_buffer") == [(1, 10, 4.0, 100), (1, 20, 3.5, 200)]
    assert land(connection, "batches/w1.csv", "a").state == "loaded"


def test_a_failed_batch_keeps_its_former_rows_and_says_why(connection: psycopg.Connection) -> None:
    load(connection, "w1", FIRST)
    bad = land(connection, "batches/w1.csv", "bad")
    start_batch(connection, "w1", bad)
    started = ingestion(connection, "w1")
    assert started is not None
    assert started[0] == "in_progress"
    fail_batch(connection, "w1", "batches/w1.csv: 9 of 10 rows do not fit", bad)
    assert ingestion(connection, "w1") == ("failed", 2, "batches/w1.csv: 9 of 10 rows do not fit")
    assert len(read_rows(connection, "ratings_buffer")) == 2


def test_a_batch_that_never_fitted_shows_no_rows(connection: psycopg.Connection) -> None:
    start_batch(connection, "w9", land(connection, "batches/w9.csv"))
    fail_batch(connection, "w9", "no column 'rating'")
    assert ingestion(connection, "w9") == ("failed", 0, "no column 'rating'")
    assert read_stored_batch(connection, "w9") is None


def test_a_failure_that_another_worker_made_good_is_none(connection: psycopg.Connection) -> None:
    load(connection, "w1", FIRST)
    fail_batch(connection, "w1", "connection lost", land(connection, "batches/w1.csv"))
    status = ingestion(connection, "w1")
    assert status is not None
    assert status[0] == "completed"


def test_two_workers_on_one_batch_load_it_once(url: str) -> None:
    rows = make_random_ratings(5_000)
    processes = [workers.start(warehouse_jobs.load_batch_file, url, "w1", rows, "a") for _ in range(3)]
    assert workers.finish(*processes) == [0, 0, 0]
    with connect(url) as connection:
        assert count(connection, "ratings_buffer") == 5_000
        status = ingestion(connection, "w1")
        assert status is not None
        assert status[:2] == ("completed", 5_000)


@pytest.mark.faults("one-batch")
def test_the_second_of_two_loaders_does_not_undo_the_status(url: str) -> None:
    # The second says in_progress while the first is about to commit: it has to wait, and then has nothing to say.
    with connect(url) as first:
        file = land(first, "batches/w1.csv")
        with first.transaction():
            load(first, "w1", FIRST)
            second = workers.start(warehouse_jobs.load_batch_file, url, "w1", FIRST, "a")
            time.sleep(1.0)
            assert second.is_alive()
        assert workers.finish(second) == [0]
        status = ingestion(first, "w1")
        assert status is not None
        assert status[0] == "completed"
        assert file.md5 == md5_of("a")


PROCESSES, ROUNDS = 8, 25


def one_load_of(connection: psycopg.Connection, batch_id: str, ratings: pd.DataFrame) -> bool:
    """Whether a batch holds these ratings, each once, and the metadata of one load of them."""
    rows = read_rows(connection, f"ratings_buffer WHERE batch_id = '{batch_id}'")
    status = ingestion(connection, batch_id)
    assert status is not None
    assert count(connection, f"ingestion_metadata WHERE batch_id = '{batch_id}'") == 1
    return rows == sorted(ratings.itertuples(index=False, name=None)) and status[:2] == ("completed", len(ratings))


@pytest.mark.faults("one-batch")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_eight_processes_load_one_batch_in_each_of_25_rounds(url: str, figure: Callable[[str], None]) -> None:
    with connect(url) as connection:
        for number in range(ROUNDS):
            rows = make_random_ratings(2_000, seed=number)
            name = f"w{number}"
            started = [workers.start(warehouse_jobs.load_batch_file, url, name, rows, name) for _ in range(PROCESSES)]
            assert workers.finish(*started, deadline_s=300) == [0] * PROCESSES
            assert one_load_of(connection, name, rows)
        assert count(connection, "ratings_buffer") == ROUNDS * 2_000
        figure(f"{ROUNDS} rounds of {PROCESSES} processes: {count(connection, 'ratings_buffer'):,} rows, none twice")


@pytest.mark.faults("two-batches")
def test_two_batches_and_two_contents_of_each_at_once_are_whole(url: str, figure: Callable[[str], None]) -> None:
    """Which content of a batch comes last is open; what is stored is one of them, with the metadata of that."""
    contents = {name: make_random_ratings(500 + 100 * place, seed=place) for place, name in enumerate("ab")}
    rounds = 2
    with connect(url) as connection:
        for number in range(rounds):
            batches = (f"v{number}", f"w{number}")
            started = [
                workers.start(warehouse_jobs.load_newest_content, url, batch, contents, name)
                for batch in batches
                for name in "abab"
            ]
            assert workers.finish(*started, deadline_s=300) == [0] * len(started)
            for batch in batches:
                stored = read_stored_batch(connection, batch)
                assert stored is not None
                (name,) = (name for name in contents if stored.md5 == md5_of(name))
                assert one_load_of(connection, batch, contents[name])
    figure(f"{rounds} rounds of 8 processes on 2 batches with 2 contents each")


@pytest.mark.faults("killed-orders")
@pytest.mark.parametrize("place", ["buffer", "merged"])
def test_a_load_killed_at_any_order_leaves_the_batch_as_it_was(url: str, place: str) -> None:
    with connect(url) as connection:
        load(connection, "w1", FIRST)
        if place == "merged":
            merge_batch(connection, "w1")
        table = "ratings_buffer" if place == "buffer" else "ratings"
        before, kills = read_row_versions(connection, table), 0
        while workers.finish(workers.start(warehouse_jobs.load_batch_file, url, "w1", OTHER, "b", 2 * kills + 5)) == [
            -9
        ]:
            kills += 1
            assert read_row_versions(connection, table) == before
            existing = read_stored_batch(connection, "w1")
            assert existing is not None
            assert existing.md5 == md5_of("a")
        assert kills >= 5
        assert len(read_rows(connection, table)) == 3


def test_rejected_rows_come_and_go_with_their_content(connection: psycopg.Connection) -> None:
    file = land(connection, "batches/w1.csv")
    load_batch(connection, "w1", FIRST, file, [RejectedRow(3, "x,y", ("userId is no number", "movieId is no number"))])
    rejected = read_rows(connection, "ops.rejected_rows", "batch_id, row_number, raw_row, reasons")
    assert rejected == [("w1", 3, "x,y", ["userId is no number", "movieId is no number"])]
    (counts,) = read_rows(connection, "ops.files", "rows_read, rows_accepted, rows_rejected")
    assert counts == (3, 2, 1)
    status = ingestion(connection, "w1")
    assert status is not None
    assert "1 row rejected" in str(status[2])
