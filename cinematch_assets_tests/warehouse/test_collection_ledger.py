import random
import time
from dataclasses import replace

import psycopg
import pytest

from cinematch_assets.warehouse.collection_ledger import (
    ATTEMPTS,
    Fetch,
    Listing,
    Outcome,
    finish_files,
    list_pending_ids,
    list_processed_files,
    record_fetches,
    record_listing,
    take_fetched,
)
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.status import count_collection_states
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.collection_rows import list_and_fetch, make_accepted, make_file, read_rows_of_files
from cinematch_assets_tests.support.warehouse_rows import count, read_row_versions, read_rows

FILES = [make_file(f"f{n:03}", n) for n in range(60)]
# Some movies come in two files, some files hold three.
MOVIES = {
    file.id: [(f"Title {n % 50}", "Drama", float(n % 10), 1950 + n % 50)] * (1 + n % 2)
    + [(f"Other {n}", "Drama", None, None)]
    for n, file in enumerate(FILES)
}
CONTENTS = {name: make_accepted({name: movies}) for name, movies in MOVIES.items()}


def test_a_listing_makes_new_files_pending(connection: psycopg.Connection) -> None:
    assert record_listing(connection, FILES) == Listing(new=60, changed=0, again=0, missing=0)
    assert count_collection_states(connection) == {"pending": 60}


def test_an_unchanged_listing_writes_nothing(connection: psycopg.Connection) -> None:
    record_listing(connection, FILES)
    before = read_row_versions(connection, "ops.drive_files")
    assert record_listing(connection, FILES) == Listing(0, 0, 0, 0)
    assert record_listing(connection, FILES[:10]) == Listing(0, 0, 0, missing=50)
    assert record_listing(connection, []) == Listing(0, 0, 0, missing=60)
    assert read_row_versions(connection, "ops.drive_files") == before


def test_other_content_is_pending_again_and_a_new_name_is_not(connection: psycopg.Connection) -> None:
    list_and_fetch(connection, FILES[:2])
    with connection.transaction():
        finish_files(connection, [Outcome(f.file_id, "loaded", rows=()) for f in take_fetched(connection, 10)])
    changed = make_file("f000", "other")
    moved = replace(FILES[1], path="Netflix_Movie_Collection/sub/new name.json")
    assert record_listing(connection, [changed, moved]) == Listing(new=0, changed=1, again=0, missing=0)
    rows = read_rows(connection, "ops.drive_files", "file_id, state, path")
    assert rows == [("f000", "pending", changed.path), ("f001", "loaded", moved.path)]


def test_workers_share_the_queue_without_meeting(url: str) -> None:
    with connect(url) as first, connect(url) as second:
        list_and_fetch(first, FILES[:10])
        with first.transaction(), second.transaction():
            mine, others = take_fetched(first, 6), take_fetched(second, 6)
            assert (len(mine), len(others)) == (6, 4)
            assert {f.file_id for f in mine} & {f.file_id for f in others} == set()
        assert len(take_fetched(first, 60)) == 10  # given back, as nothing came of them


def test_a_taken_file_carries_its_former_content_and_rows(connection: psycopg.Connection) -> None:
    list_and_fetch(connection, FILES[:1])
    with connection.transaction():
        (taken,) = take_fetched(connection, 1)
    assert (taken.file_id, taken.md5, taken.attempts, taken.loaded_md5, taken.loaded_rows) == (
        "f000",
        FILES[0].md5,
        0,
        None,
        [],
    )


def test_only_what_was_fetched_is_there_to_load(connection_18: psycopg.Connection) -> None:
    record_listing(connection_18, FILES[:3])
    record_fetches(connection_18, [Fetch("f001", FILES[1].md5, "landed/f001/x.json")])
    (file,) = take_fetched(connection_18, 10)
    assert (file.file_id, file.store_key, file.attempts) == ("f001", "landed/f001/x.json", 0)
    assert list_pending_ids(connection_18) == {"f000", "f001", "f002"}
    record_listing(connection_18, [make_file("f001", "other")])
    assert take_fetched(connection_18, 10) == []  # what lies in the store is its former content


def test_a_fetch_that_came_too_late_changes_nothing(connection_18: psycopg.Connection) -> None:
    record_listing(connection_18, FILES[:2])
    finish_files(connection_18, [Outcome("f000", "loaded", rows=())])
    late = [Fetch("f000", FILES[0].md5, None, "connection lost"), Fetch("f001", "0" * 32, "landed/former")]
    before = read_row_versions(connection_18, "ops.drive_files")
    record_fetches(connection_18, late)
    assert read_row_versions(connection_18, "ops.drive_files") == before


def test_a_content_is_processed_when_it_is_loaded_bad_or_given_up(connection_18: psycopg.Connection) -> None:
    record_listing(connection_18, FILES[:4])
    finish_files(connection_18, [Outcome("f000", "loaded", rows=()), Outcome("f001", "quarantined", "is no movie")])
    failing = Fetch("f002", FILES[2].md5, None, "f002.json: connection lost")
    for attempt in range(1, ATTEMPTS + 1):
        record_fetches(connection_18, [failing])
        given_up = {("f002", FILES[2].md5)} if attempt == ATTEMPTS else set()
        assert list_processed_files(connection_18) == {("f000", FILES[0].md5), ("f001", FILES[1].md5)} | given_up
        record_listing(connection_18, FILES[:4])
    assert list_pending_ids(connection_18) == {"f003"}


def clean_run() -> dict[str, list[tuple[object, ...]]]:
    return {name: [tuple(movie) for movie in movies] for name, movies in MOVIES.items()}


def test_several_workers_load_each_file_once(url: str) -> None:
    with connect(url) as connection:
        list_and_fetch(connection, FILES)
        processes = [workers.start(warehouse_jobs.collect_files, url, CONTENTS, 7, 0, 0.01) for _ in range(3)]
        assert workers.finish(*processes) == [0, 0, 0]
        assert read_rows_of_files(connection) == clean_run()
        assert read_rows(connection, "ops.drive_files", "attempts, state") == [(1, "loaded")] * len(FILES)
        assert count(connection, "netflix.movies") == 50 + 60


@pytest.mark.faults("killed-orders")
def test_killed_anywhere_the_next_run_does_what_is_left(url: str) -> None:
    chance = random.Random(20)  # noqa: S311 - no secret, only where to kill
    with connect(url) as connection:
        list_and_fetch(connection, FILES)
        done = 0
        for _ in range(20):
            worker = workers.start(warehouse_jobs.collect_files, url, CONTENTS, 2, chance.randint(1, 60), 0.0)
            assert workers.finish(worker)[0] in {-9, 0}
            states = count_collection_states(connection)
            loaded = states.get("loaded", 0)
            assert loaded >= done
            assert sum(states.values()) == len(FILES)
            assert {
                name for name, movies in read_rows_of_files(connection).items() if movies != clean_run()[name]
            } == set()
            done = loaded
        assert workers.finish(workers.start(warehouse_jobs.collect_files, url, CONTENTS, 50)) == [0]
        assert read_rows_of_files(connection) == clean_run()
        assert read_rows(connection, "ops.drive_files", "attempts, state") == [(1, "loaded")] * len(FILES)
        assert count(connection, "netflix.movies") == 50 + 60


def test_a_killed_worker_gives_its_files_back_at_once(url: str) -> None:
    with connect(url) as connection:
        list_and_fetch(connection, FILES[:5])
        worker = workers.start(warehouse_jobs.collect_files, url, CONTENTS, 5, 0, 60.0)
        while take_fetched(connection, 5):  # until the worker has them
            time.sleep(0.02)
        worker.kill()
        worker.join()
        end = time.monotonic() + 10
        while len(take_fetched(connection, 5)) < 5 and time.monotonic() < end:
            time.sleep(0.02)
        assert len(take_fetched(connection, 5)) == 5
