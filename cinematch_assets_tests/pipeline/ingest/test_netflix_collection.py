"""The movie collection: each file is fetched and loaded once, and a bad one does not stop the others."""

import hashlib
import json
import random
import shutil
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cinematch_assets.drive.folder import FileError
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.pipeline.ingest.netflix_collection import (
    FetchedCollection,
    fetch_collection,
    list_collection,
    load_fetched,
)
from cinematch_assets.pipeline.ingest.netflix_matches import match_titles
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.collection_ledger import list_processed_files, read_problem_files, record_listing
from cinematch_assets.warehouse.netflix import CollectionLoad
from cinematch_assets_tests.support import collection_jobs, workers
from cinematch_assets_tests.support.drive_server import DriveServer, Fault
from cinematch_assets_tests.support.platforms import drop, insert_movies, make_platform, rows_of

FOLDER = "Netflix_Movie_Collection"
TABLE = "SELECT title, genre, rating, year FROM netflix.movies ORDER BY title, year, genre"


def movie(title: str, year: int | None = 1999, rating: object = 8.7, genre: str = "Sci-Fi") -> dict[str, Any]:
    return {"title": title, "genre": genre, "rating": rating, "year": year}


def put(platform: Platform, path: str, content: object) -> Path:
    return drop(platform, f"{FOLDER}/{path}", content if isinstance(content, bytes) else json.dumps(content))


def collect(platform: Platform) -> tuple[FetchedCollection, CollectionLoad]:
    return fetch_collection(platform), load_fetched(platform)


def ledger(platform: Platform) -> dict[str, str]:
    rows = rows_of(platform, "SELECT path, state FROM ops.drive_files")
    return {str(path).removeprefix(f"{FOLDER}/"): str(state) for path, state in rows}


def test_folders_in_folders_become_rows_and_a_ledger(platform: Platform) -> None:
    put(platform, "matrix.json", movie("The Matrix"))
    put(platform, "a/b/c/Amélie.JSON", movie("Amélie", 2001, None, "Comedy"))
    put(platform, "a/lists/two.json", [movie("Heat", 1995, 8.3, "Crime"), movie("The Matrix")])
    drop(platform, f"{FOLDER}/a/many.csv", "title,genre,rating,year\nAlien,Horror,8.5,1979\nTwins,Comedy,,\n")
    found, loaded = collect(platform)
    assert (found.files, found.listing.new, found.fetched, found.unchanged, found.failed) == (4, 4, 4, 0, ())
    assert (loaded.inserted, loaded.loaded) == (5, 4)
    assert rows_of(platform, TABLE) == [
        ("Alien", "Horror", Decimal("8.5"), 1979),
        ("Amélie", "Comedy", None, 2001),
        ("Heat", "Crime", Decimal("8.3"), 1995),
        ("The Matrix", "Sci-Fi", Decimal("8.7"), 1999),
        ("Twins", "Comedy", None, None),
    ]
    assert set(ledger(platform).values()) == {"loaded"}


def test_fetching_reports_its_progress_up_to_all_files(platform: Platform) -> None:
    for number in range(3):
        put(platform, f"{number}.json", movie(f"Film {number}"))
    calls: list[tuple[str, float]] = []
    fetch_collection(platform, lambda phase, share: calls.append((phase, share)))
    assert calls[-1] == (f"Fetching {FOLDER}", 1.0)


def test_without_a_collection_there_is_nothing_to_do(platform: Platform) -> None:
    found, loaded = collect(platform)
    assert (found.files, found.fetched, loaded.loaded) == (0, 0, 0)
    assert match_titles(platform).share is None


def test_an_unchanged_folder_is_not_fetched_again_and_writes_nothing(platform: Platform) -> None:
    for number in range(20):
        put(platform, f"{number % 3}/{number}.json", movie(f"Film {number}"))
    collect(platform)
    written = "SELECT ctid, xmin FROM ops.drive_files UNION ALL SELECT ctid, xmin FROM netflix.movies"
    before = Counter(rows_of(platform, written))
    found, loaded = collect(platform)
    assert (found.fetched, found.in_store, found.unchanged, loaded.loaded) == (0, 0, 20, 0)
    assert Counter(rows_of(platform, written)) == before


def test_a_changed_file_updates_its_row(platform: Platform) -> None:
    put(platform, "one.json", movie("The Matrix", rating=8.7))
    collect(platform)
    ((row,),) = rows_of(platform, "SELECT id FROM netflix.movies")
    put(platform, "one.json", movie("The Matrix", rating=9.1))
    found, loaded = collect(platform)
    assert (found.listing.changed, found.fetched, loaded.updated, loaded.inserted) == (1, 1, 1, 0)
    assert rows_of(platform, "SELECT id, rating FROM netflix.movies") == [(row, Decimal("9.1"))]


def test_a_file_that_turns_bad_keeps_its_row_and_is_a_problem_file(platform: Platform) -> None:
    put(platform, "one.json", movie("The Matrix"))
    collect(platform)
    put(platform, "one.json", movie("The Matrix", rating=11))
    _, loaded = collect(platform)
    assert (loaded.quarantined, loaded.deleted) == (1, 0)
    assert [title for title, *_ in rows_of(platform, TABLE)] == ["The Matrix"]
    (problem,) = platform.warehouse.run(read_problem_files)
    assert problem.path == f"{FOLDER}/one.json"
    assert "rating" in problem.last_error
    assert "last good content stay" in problem.last_error
    assert [str(path) for (path,) in rows_of(platform, "SELECT path FROM ops.rejected_rows")] == [problem.path]


def test_what_is_no_movie_is_quarantined_with_path_and_reason(platform: Platform) -> None:
    nested: Any = movie("Deep")
    for _ in range(5_000):
        nested = [nested]
    bad = {
        "text rating.json": movie("A", rating="8.5"),
        "too old.json": movie("B", 1899),
        "no title.json": {"genre": "Drama", "rating": 1, "year": 2000},
        "long title.json": movie("x" * 256),
        "array.json": [[1, 2]],
        "nested.json": b"[" * 100_000,
        "large.json": b'{"title": "' + b"x" * 10 * 2**20 + b'"}',
        "not utf-8.json": b'{"title": "\xff\xfe"}',
        "nul.json": movie("N\0"),
        "half.json": b'{"title": "\\ud800", "genre": "Drama"}',
        "empty.json": b"",
        "no movies.json": [],
        "truncated.json": b'{"title": "The Matr',
    }
    for name, content in bad.items():
        put(platform, f"bad/{name}", content)
    put(platform, "good/one.json", movie("The Matrix"))
    found, loaded = collect(platform)
    assert (found.fetched, loaded.loaded, loaded.quarantined) == (len(bad) + 1, 1, len(bad))
    assert [title for title, *_ in rows_of(platform, TABLE)] == ["The Matrix"]
    held = rows_of(platform, "SELECT path, reasons FROM ops.rejected_rows")
    assert {str(path).removeprefix(f"{FOLDER}/bad/") for path, _ in held} == set(bad)
    assert all(reasons for _, reasons in held)
    assert collect(platform)[1].quarantined == 0  # the same content stays bad, and is not read again


class Flaky(LocalFolder):
    """A folder of which one file cannot be had."""

    broken = ""

    def fetch(self, file: DriveFile, target: Path) -> None:
        if file.path.endswith(self.broken):
            raise FileError(f"{file.path}: Google Drive says 403")
        super().fetch(file, target)


def test_a_file_that_cannot_be_fetched_stops_no_other_and_is_tried_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    flaky = Platform(
        platform.settings, Flaky(Path(platform.folder.spec), min_age_s=0), platform.store, platform.warehouse
    )
    for number in range(60):
        put(flaky, f"{number}.json", movie(f"Film {number}"))
    monkeypatch.setattr(Flaky, "broken", "/7.json")
    found, loaded = collect(flaky)
    assert found.failed == (f"{FOLDER}/7.json: Google Drive says 403",)
    assert (found.fetched, loaded.loaded) == (59, 59)
    assert ledger(flaky)["7.json"] == "failed"
    assert len(flaky.warehouse.run(list_processed_files)) == 59  # so the sensor asks again
    monkeypatch.setattr(Flaky, "broken", "nothing")
    found, loaded = collect(flaky)
    assert (found.listing.again, found.fetched, found.unchanged, loaded.loaded) == (1, 1, 59, 1)
    assert set(ledger(flaky).values()) == {"loaded"}


def test_a_failure_while_reading_leaves_the_files_to_the_next_run(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(platform, "one.json", movie("The Matrix"))
    fetch_collection(platform)
    with monkeypatch.context() as patch:
        patch.setattr(type(platform.store), "path", None)
        with pytest.raises(TypeError):
            load_fetched(platform)
    assert load_fetched(platform).loaded == 1


def test_a_file_that_is_no_longer_listed_keeps_its_row(platform: Platform) -> None:
    put(platform, "one.json", movie("The Matrix"))
    gone = put(platform, "two.json", movie("Heat", 1995))
    collect(platform)
    gone.unlink()
    found, _ = collect(platform)
    assert (found.files, found.listing.missing) == (1, 1)
    assert len(rows_of(platform, TABLE)) == 2


def test_a_content_that_the_store_lost_is_fetched_again(platform: Platform) -> None:
    put(platform, "one.json", movie("The Matrix"))
    fetch_collection(platform)
    for key in list(platform.store.keys()):
        platform.store.delete(key)
    assert load_fetched(platform).failed == 1
    found, loaded = collect(platform)
    assert (found.fetched, loaded.loaded) == (1, 1)


def test_a_change_between_fetching_and_loading_is_loaded_once_it_is_fetched(platform: Platform) -> None:
    put(platform, "one.json", movie("The Matrix", rating=1))
    fetch_collection(platform)
    put(platform, "one.json", movie("The Matrix", rating=2))
    platform.warehouse.run(record_listing, list_collection(platform.folder).files)
    assert load_fetched(platform).loaded == 0  # what lies in the store is not this content
    assert collect(platform)[1].loaded == 1
    assert rows_of(platform, "SELECT rating FROM netflix.movies") == [(Decimal("2.0"),)]


def test_other_files_are_skipped_by_name(platform: Platform) -> None:
    put(platform, "read me.txt", b"hello")
    put(platform, "poster.png", b"\x89PNG")
    put(platform, "one.json", movie("The Matrix"))
    found, _ = collect(platform)
    assert (found.files, [entry.reason for entry in found.skipped]) == (1, ["is neither .json nor .csv"] * 2)


def test_a_csv_and_a_file_a_movie_give_the_same_rows(platform: Platform) -> None:
    movies = pd.DataFrame(
        {
            "title": ["Heat", "Crash, The", 'The "Matrix"', "Amélie"],
            "genre": ["Crime", "Drama", "Sci-Fi", "Comedy"],
            "rating": [8.25, 7.0, None, 8.3],
            "year": pd.array([1995, 1996, 1999, None], dtype="Int64"),
        }
    )
    drop(platform, f"{FOLDER}/all.csv", movies)
    collect(platform)
    together = rows_of(platform, TABLE)
    assert len(together) == 4
    for number, row in enumerate(movies.astype(object).where(movies.notna(), None).to_dict("records")):
        put(platform, f"nested/{number % 2}/{number}.json", row)
    _, loaded = collect(platform)
    assert (loaded.loaded, loaded.inserted) == (4, 0)
    assert rows_of(platform, TABLE) == together


def test_a_collection_in_google_drive_is_fetched_once(platform: Platform) -> None:
    with DriveServer(page_size=10).running() as drive:
        root = drive.add_folder(None, "CineMatch")
        top = drive.add_folder(root, FOLDER)
        folders = [drive.add_folder(drive.add_folder(top, f"{n}"), "inner") for n in range(6)]
        ids = [drive.add_file(folders[n % 6], f"{n}.json", json.dumps(movie(f"Film {n}")).encode()) for n in range(40)]
        drive.add_parent(ids[3], folders[0])
        drive.add(top, "notes", "application/vnd.google-apps.document")
        token = platform.settings.home / "token.json"
        token.write_text(json.dumps(drive.issue_token()))
        token.chmod(0o600)
        folder = open_folder(f"gdrive:{root}", google_endpoint=drive.url, token_file=token)
        google = Platform(platform.settings, folder, platform.store, platform.warehouse)
        drive.faults.append(Fault("may not be downloaded", where=ids[5], times=99))
        found, loaded = collect(google)
        assert (found.files, found.fetched, len(found.failed), loaded.loaded) == (40, 39, 1, 39)
        assert f"{FOLDER}/5/inner/5.json" in found.failed[0]
        assert [entry.path for entry in found.skipped] == [f"{FOLDER}/notes"]
        drive.faults.clear()
        served = len(drive.content_requests())
        assert collect(google)[0].fetched == 1
        assert len(drive.content_requests()) == served + 1
        drive.change_file(ids[0], json.dumps(movie("Another")).encode())
        found, loaded = collect(google)
        assert (found.listing.changed, found.fetched, loaded.updated) == (1, 1, 1)
        found, _ = collect(google)
        assert (found.fetched, found.unchanged) == (0, 40)
        assert len(drive.content_requests()) == served + 2
    assert len(rows_of(platform, TABLE)) == 40


@pytest.fixture
def collection(tmp_path: Path, pooled_database_url: str) -> Platform:
    """300 files in 40 folders: some hold a list, some the same movie as another, some nothing good."""
    platform = make_platform(tmp_path, pooled_database_url)
    for number in range(300):
        movie_id = number % 280
        content: object = movie(f"Film {movie_id}", 1950 + movie_id % 60, movie_id % 100 / 10)
        if number % 50 == 3:
            content = [content, movie(f"Second of {number}", None, None), movie("bad", 1800)]
        put(platform, f"{number % 8}/{number % 5}/film {number}.json", b"{" if number % 60 == 7 else content)
    insert_movies(platform, *((number, f"Film {number} ({1950 + number % 60})") for number in range(1, 100)))
    return platform


def outcome(platform: Platform) -> dict[str, Any]:
    """Everything that a run leaves, but for ids and times."""
    matches = (
        "SELECT title, year, movieid, method FROM netflix.movie_matches JOIN netflix.movies USING (id) ORDER BY 1, 2"
    )
    rows = rows_of(platform, TABLE)
    keys = list(platform.store.keys())
    return {
        "rows": rows,
        "rows' hash": hashlib.sha256(repr(rows).encode()).hexdigest(),
        "objects": {key: hashlib.sha256(platform.store.read_bytes(key)).hexdigest() for key in keys},
        "ledger": rows_of(
            platform,
            "SELECT file_id, md5, state, attempts, store_key, cardinality(loaded_rows) FROM ops.drive_files ORDER BY 1",
        ),
        "rejected": rows_of(platform, "SELECT path, row_number, reasons FROM ops.rejected_rows ORDER BY 1, 2"),
        "matches": rows_of(platform, matches),
        "orphans": rows_of(
            platform,
            "SELECT count(*) FROM netflix.movies m"
            " WHERE NOT EXISTS (SELECT FROM ops.drive_files WHERE m.id = ANY(loaded_rows))",
        ),
    }


def start_over(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute("TRUNCATE netflix.movies, ops.drive_files, ops.rejected_rows CASCADE")
    shutil.rmtree(platform.settings.home / "store", ignore_errors=True)
    (platform.settings.home / "fetched.log").unlink(missing_ok=True)


def start_worker(platform: Platform) -> Any:
    return workers.start(collection_jobs.collect, str(platform.settings.home), platform.warehouse.url)


def count_fetches(platform: Platform) -> Counter[str]:
    log = platform.settings.home / "fetched.log"
    return Counter(log.read_text().split() if log.exists() else [])


def test_two_workers_at_once_fetch_each_file_once(collection: Platform) -> None:
    assert workers.finish(start_worker(collection)) == [0]
    clean = outcome(collection)
    assert (len(clean["rows"]), len(clean["objects"]), clean["orphans"]) == (276 + 6, 300, [(0,)])
    start_over(collection)
    assert workers.finish(start_worker(collection), start_worker(collection)) == [0, 0]
    assert outcome(collection) == clean
    assert set(count_fetches(collection).values()) == {1}


@pytest.mark.faults("killed-orders")
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_after_a_kill_the_next_run_finishes_and_fetches_nothing_twice(collection: Platform, kills: int) -> None:
    assert workers.finish(workers.start(collection_jobs.nothing)) == [0]
    started = time.monotonic()
    assert workers.finish(start_worker(collection)) == [0]
    duration = time.monotonic() - started
    clean = outcome(collection)
    chance = random.Random(kills)  # noqa: S311 - moments to be killed at
    killed = 0
    while killed < kills:
        start_over(collection)
        worker = start_worker(collection)
        time.sleep(chance.uniform(0.1, 0.95) * duration)
        worker.kill()
        killed += workers.finish(worker) == [-9]
        there = {key.split("/")[1] for key in collection.store.keys("landed/")}
        before = count_fetches(collection)
        assert workers.finish(start_worker(collection)) == [0]
        assert outcome(collection) == clean
        again = count_fetches(collection) - before
        assert not set(again) & there
        assert len(again) + len(there) == 300
