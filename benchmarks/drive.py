"""Load a collection of one-movie files from a Drive folder into Postgres: sequentially, and in parallel.

    python -m benchmarks.drive [--files 5000] [--folders 200] [--delay-ms 50]

The Drive is the tests' server on this machine, in a process of its own, which delays each answer. The sequential way is
that of the predecessor: Google's client with its own transport, one file after the other, a commit for each row. The
platform's way lands each file, checked, and commits 500 rows with their ledger at a time. Exit code 1 when it is less
than 15 times as fast, or when a second run over the unchanged folder fetches any content.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from benchmarks.measuring import report
from cinematch_assets.drive.folder import Folder
from cinematch_assets.drive.landing import land, landing_key
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.thread_pool import in_parallel
from cinematch_assets.storage.base import Store
from cinematch_assets.storage.opening import open_store
from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.embedded import embedded_url, stop_server
from cinematch_assets_tests.support.drive_server import FOLDER, DriveServer

MIN_SPEEDUP = 15.0
ROWS_PER_COMMIT = 500
INSERT = "INSERT INTO collection (file_id, md5, title, genre, rating, year) VALUES (%s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Run:
    """Times and counts of one pass over the folder."""

    listing_s: float
    loading_s: float
    rows: int
    contents: int

    @property
    def total_s(self) -> float:
        """From the first request to the last row."""
        return self.listing_s + self.loading_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--folders", type=int, default=200)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="cinematch-drive-") as folder_name,
        serving(options) as server,
        warehouse() as url,
    ):
        home = Path(folder_name)
        (home / "token.json").write_text(json.dumps(server.token))
        folder = open_folder(f"gdrive:{server.root}", google_endpoint=server.url, token_file=home / "token.json")
        store = open_store(str(home / "store"))
        ours = measure(server, lambda: load_in_parallel(folder, store, url))
        again = measure(server, lambda: load_in_parallel(folder, store, url))
        theirs = measure(server, lambda: load_sequentially(server, url))
    good = ours.rows == theirs.rows == options.files and again.rows == again.contents == 0
    faster = theirs.total_s / ours.total_s
    report_runs(options, {"one after the other, a commit a row": theirs, "ours": ours, "ours, again": again})
    return int(not good or faster < MIN_SPEEDUP)


def load_sequentially(server: "Server", url: str) -> tuple[float, float, int]:
    """Load as the predecessor did: list, then fetch, insert and commit one file after the other."""
    token = {key: server.token[key] for key in ("refresh_token", "token_uri", "client_id", "client_secret")}
    options = {"api_endpoint": server.url}
    client = build("drive", "v3", credentials=Credentials(None, **token), client_options=options, static_discovery=True)
    start = time.perf_counter()
    found = list(list_entries(client, server.root))
    listed = time.perf_counter()
    with psycopg.connect(url) as connection:
        make_table(connection)
        for entry in found:
            movie = json.loads(client.files().get_media(fileId=entry["id"]).execute())
            connection.execute(INSERT, make_row(entry["id"], entry["md5Checksum"], movie))
            connection.commit()
    return listed - start, time.perf_counter() - listed, len(found)


def list_entries(client: Any, folder_id: str) -> Iterator[dict[str, Any]]:
    """Give the entries of the files below a folder, listing one folder after the other."""
    page = None
    while True:
        answer = (
            client.files()
            .list(
                q=f"'{folder_id}' in parents and trashed = false",
                fields="nextPageToken,files(id,name,mimeType,md5Checksum,size)",
                pageSize=1000,
                pageToken=page,
                supportsAllDrives=True,
                includeItemsFromAllDrives=True,
            )
            .execute()
        )
        for entry in answer["files"]:
            if entry["mimeType"] == FOLDER:
                yield from list_entries(client, entry["id"])
            else:
                yield entry
        page = answer.get("nextPageToken")
        if not page:
            return


def load_in_parallel(folder: Folder, store: Store, url: str) -> tuple[float, float, int]:
    """Land the files that the table does not have, and commit up to ``ROWS_PER_COMMIT`` rows as they finish."""
    start = time.perf_counter()
    files = folder.list_files().files
    listed = time.perf_counter()
    with psycopg.connect(url) as connection:
        loaded = read_loaded(connection)
        new = [file for file in files if (file.id, file.md5) not in loaded]
        for rows in batch_rows(land_movies(folder, store, new)):
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(INSERT, rows)
    return listed - start, time.perf_counter() - listed, len(new)


def land_movies(folder: Folder, store: Store, files: list[DriveFile]) -> Iterator[tuple[Any, ...]]:
    for done in in_parallel(lambda file: land(folder, file, store), files):
        if done.error is not None:
            raise done.error
        movie = json.loads(store.read_bytes(landing_key(done.file)))
        yield make_row(done.file.id, done.file.md5, movie)


def batch_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for one in rows:
        batch.append(one)
        if len(batch) == ROWS_PER_COMMIT:
            yield batch
            batch = []
    if batch:
        yield batch


def make_row(file_id: str, md5: str, movie: dict[str, Any]) -> tuple[Any, ...]:
    return file_id, md5, movie["title"], movie["genre"], movie["rating"], movie["year"]


def read_loaded(connection: psycopg.Connection) -> set[tuple[str, str]]:
    return {(str(one[0]), str(one[1])) for one in connection.execute("SELECT file_id, md5 FROM collection")}


def make_table(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS collection")
    connection.execute(
        "CREATE TABLE collection (file_id TEXT PRIMARY KEY, md5 TEXT NOT NULL, title VARCHAR(255) NOT NULL,"
        " genre VARCHAR(100) NOT NULL, rating DECIMAL(3, 1), year INTEGER)"
    )
    connection.commit()


@contextmanager
def warehouse() -> Iterator[str]:
    """Run an embedded Postgres server in a folder of its own; yield its URL."""
    with tempfile.TemporaryDirectory(prefix="cinematch-drive-warehouse-") as home:
        url = embedded_url(Path(home))
        try:
            with psycopg.connect(url) as connection:
                make_table(connection)
            yield url
        finally:
            stop_server(Path(home))


@dataclass(frozen=True)
class Server:
    """The Drive in its own process."""

    url: str
    root: str
    token: dict[str, Any]
    connection: Connection

    def contents(self) -> int:
        """Return how many contents it has sent so far."""
        self.connection.send("contents")
        return int(self.connection.recv())


@contextmanager
def serving(options: argparse.Namespace) -> Iterator[Server]:
    client_end, server_end = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_serve, args=(server_end, options.files, options.folders, options.delay_ms / 1000))
    process.start()
    server_end.close()  # so that a crash of the server is noticed
    yield Server(*client_end.recv(), connection=client_end)
    client_end.send("end")
    process.join()


def _serve(connection: Connection, files: int, folders: int, delay_s: float) -> None:
    """Serve ``files`` in ``folders``, each folder in an earlier one, until a message ends it."""
    with DriveServer().running() as drive:
        parents = [drive.add_folder(None, "Netflix_Movie_Collection")]
        for number in range(folders):
            parents.append(drive.add_folder(parents[number // 5], f"folder {number}"))
        for number in range(files):
            movie = {
                "title": f"Movie {number}",
                "genre": "Drama",
                "rating": number % 101 / 10,
                "year": 1950 + number % 70,
            }
            drive.add_file(parents[1 + number % folders], f"{number}.json", json.dumps(movie).encode())
        drive.delay_s = delay_s
        connection.send((drive.url, parents[0], drive.issue_token()))
        while connection.recv() == "contents":
            connection.send(len(drive.content_requests()))


def measure(server: Server, run: Any) -> Run:
    before = server.contents()
    listing_s, loading_s, rows = run()
    done = Run(listing_s, loading_s, rows, server.contents() - before)
    print(f"{done.rows} rows in {done.total_s:.1f} s", file=sys.stderr)
    return done


def report_runs(options: argparse.Namespace, runs: dict[str, Run]) -> None:
    slowest = max(run.total_s for run in runs.values())
    rows = [
        (
            name,
            f"{run.listing_s:.1f}",
            f"{run.loading_s:.1f}",
            f"{run.total_s:.1f}",
            f"{slowest / run.total_s:.1f}x",
            f"{run.rows:,}",
            f"{run.contents:,}",
        )
        for name, run in runs.items()
    ]
    header = ("", "listing s", "fetching, loading s", "total s", "faster", "rows", "contents fetched")
    notes = [
        f"{options.files:,} one-movie files in {options.folders} nested folders; answers wait {options.delay_ms:g} ms.",
        f"One run each. At least {MIN_SPEEDUP:g}x is wanted, and no content fetched again.",
        "The first uses Google's client and its own transport (httplib2); ours checks md5 and keeps each file as well.",
    ]
    report("drive", "A collection from Google Drive into Postgres", header, rows, notes)


if __name__ == "__main__":
    sys.exit(main())
