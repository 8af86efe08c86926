"""A collection of one-movie files in a Drive folder, into Postgres: one after the other, and many at a time.

    python -m benchmarks.drive [--files 5000] [--folders 200] [--delay-ms 50]

The Drive is our own server on this machine, in a process of its own, which delays each answer. The first contestant
does as the predecessor did: Google's client with its own transport, one file after the other, a commit a row. Ours
lands each file, checked, and commits 500 rows with their ledger at a time. Exit code 1 when ours is less than 15 times
as fast, or when a second run over the unchanged folder fetches any content.
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
from cinematch_assets.drive.parallel import in_parallel
from cinematch_assets.storage.base import Store
from cinematch_assets.storage.opening import open_store
from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.embedded import embedded_url, stop_server
from cinematch_assets_tests.support.drive_server import FOLDER, DriveServer

WANTED = 15.0
ROWS_A_COMMIT = 500
INSERT = "INSERT INTO collection (file_id, md5, title, genre, rating, year) VALUES (%s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Run:
    """What one pass over the folder took and did."""

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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cinematch-drive-") as place, serving(asked) as server, warehouse() as url:
        (Path(place) / "token.json").write_text(json.dumps(server.token))
        folder = open_folder(f"gdrive:{server.root}", google_endpoint=server.url, token_file=Path(place) / "token.json")
        store = open_store(str(Path(place) / "store"))
        ours = counted(server, lambda: many_at_a_time(folder, store, url))
        again = counted(server, lambda: many_at_a_time(folder, store, url))
        theirs = counted(server, lambda: one_after_the_other(server, url))
    good = ours.rows == theirs.rows == asked.files and again.rows == again.contents == 0
    faster = theirs.total_s / ours.total_s
    report_runs(asked, {"one after the other, a commit a row": theirs, "ours": ours, "ours, again": again})
    return int(not good or faster < WANTED)


def one_after_the_other(server: "Server", url: str) -> tuple[float, float, int]:
    """The predecessor's way: walk, then fetch a file, insert it, commit, and so on."""
    token = {key: server.token[key] for key in ("refresh_token", "token_uri", "client_id", "client_secret")}
    options = {"api_endpoint": server.url}
    client = build("drive", "v3", credentials=Credentials(None, **token), client_options=options, static_discovery=True)
    start = time.perf_counter()
    found = list(walked(client, server.root))
    listed = time.perf_counter()
    with psycopg.connect(url) as connection:
        fresh_table(connection)
        for entry in found:
            movie = json.loads(client.files().get_media(fileId=entry["id"]).execute())
            connection.execute(INSERT, row(entry["id"], entry["md5Checksum"], movie))
            connection.commit()
    return listed - start, time.perf_counter() - listed, len(found)


def walked(client: Any, folder_id: str) -> Iterator[dict[str, Any]]:
    """Give the files below a folder, listing one folder after the other."""
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
                yield from walked(client, entry["id"])
            else:
                yield entry
        page = answer.get("nextPageToken")
        if not page:
            return


def many_at_a_time(folder: Folder, store: Store, url: str) -> tuple[float, float, int]:
    """Ours: land what the table does not have, commit bounded transactions of rows and ledger as files finish."""
    start = time.perf_counter()
    files = folder.list_files().files
    listed = time.perf_counter()
    with psycopg.connect(url) as connection:
        loaded = known(connection)
        new = [file for file in files if (file.id, file.md5) not in loaded]
        for rows in batched_rows(landed_movies(folder, store, new)):
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(INSERT, rows)
    return listed - start, time.perf_counter() - listed, len(new)


def landed_movies(folder: Folder, store: Store, files: list[DriveFile]) -> Iterator[tuple[Any, ...]]:
    for done in in_parallel(lambda file: land(folder, file, store), files):
        if done.error is not None:
            raise done.error
        movie = json.loads(store.read_bytes(landing_key(done.file)))
        yield row(done.file.id, done.file.md5, movie)


def batched_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    waiting: list[tuple[Any, ...]] = []
    for one in rows:
        waiting.append(one)
        if len(waiting) == ROWS_A_COMMIT:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def row(file_id: str, md5: str, movie: dict[str, Any]) -> tuple[Any, ...]:
    return file_id, md5, movie["title"], movie["genre"], movie["rating"], movie["year"]


def known(connection: psycopg.Connection) -> set[tuple[str, str]]:
    return {(str(one[0]), str(one[1])) for one in connection.execute("SELECT file_id, md5 FROM collection")}


def fresh_table(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS collection")
    connection.execute(
        "CREATE TABLE collection (file_id TEXT PRIMARY KEY, md5 TEXT NOT NULL, title VARCHAR(255) NOT NULL,"
        " genre VARCHAR(100) NOT NULL, rating DECIMAL(3, 1), year INTEGER)"
    )
    connection.commit()


@contextmanager
def warehouse() -> Iterator[str]:
    """An embedded server in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="cinematch-drive-warehouse-") as home:
        url = embedded_url(Path(home))
        try:
            with psycopg.connect(url) as connection:
                fresh_table(connection)
            yield url
        finally:
            stop_server(Path(home))


@dataclass(frozen=True)
class Server:
    """The Drive in its own process."""

    url: str
    root: str
    token: dict[str, Any]
    wire: Connection

    def contents(self) -> int:
        """How many contents it has sent so far."""
        self.wire.send("contents")
        return int(self.wire.recv())


@contextmanager
def serving(asked: argparse.Namespace) -> Iterator[Server]:
    here, there = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_serve, args=(there, asked.files, asked.folders, asked.delay_ms / 1000))
    process.start()
    there.close()  # so that its end is noticed
    yield Server(*here.recv(), wire=here)
    here.send("end")
    process.join()


def _serve(wire: Connection, files: int, folders: int, delay_s: float) -> None:
    """Serve ``files`` in ``folders``, each folder in an earlier one, until told to end."""
    with DriveServer().running() as drive:
        rooms = [drive.add_folder(None, "Netflix_Movie_Collection")]
        for number in range(folders):
            rooms.append(drive.add_folder(rooms[number // 5], f"folder {number}"))
        for number in range(files):
            movie = {
                "title": f"Movie {number}",
                "genre": "Drama",
                "rating": number % 101 / 10,
                "year": 1950 + number % 70,
            }
            drive.add_file(rooms[1 + number % folders], f"{number}.json", json.dumps(movie).encode())
        drive.delay_s = delay_s
        wire.send((drive.url, rooms[0], drive.issue_token()))
        while wire.recv() == "contents":
            wire.send(len(drive.content_requests()))


def counted(server: Server, run: Any) -> Run:
    before = server.contents()
    listing_s, loading_s, rows = run()
    done = Run(listing_s, loading_s, rows, server.contents() - before)
    print(f"{done.rows} rows in {done.total_s:.1f} s", file=sys.stderr)
    return done


def report_runs(asked: argparse.Namespace, runs: dict[str, Run]) -> None:
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
        f"{asked.files:,} one-movie files in {asked.folders} nested folders; each answer waits {asked.delay_ms:g} ms.",
        f"One run each. At least {WANTED:g}x is wanted, and no content fetched again.",
        "The first uses Google's client and its own transport (httplib2); ours checks md5 and keeps each file as well.",
    ]
    report("drive", "A collection from Google Drive into Postgres", header, rows, notes)


if __name__ == "__main__":
    sys.exit(main())
