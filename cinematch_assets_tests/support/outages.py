"""Runs of ``cinematch dev`` on a fresh home, disturbed on the way, and what they leave when they have settled.

Here: the files that are dropped, when the work counts as settled, what is compared, kills and outages. Not here: what
is expected (``test_outages``), starting it (``dagster_ui``).
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import psycopg
from numpy.typing import NDArray

from cinematch_assets.drive.opening import open_folder
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.samples.simulate import simulate_into
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.embedded import DAGSTER, WAREHOUSE, find_server
from cinematch_assets.warehouse.server_files import server_folder
from cinematch_assets.warehouse.warehouse import Warehouse
from cinematch_assets_tests.support.dagster_ui import dev
from cinematch_assets_tests.support.platforms import drop_history
from cinematch_assets_tests.support.servers import short_folder

BATCH = "batch_w1"
ROWS = 1_100
_TABLES = {
    "movies": "SELECT movieid, title, genres, pca_features::text FROM movies ORDER BY 1",
    "rows": "SELECT userid, movieid, rating, timestamp, data_split, batch_id FROM ratings ORDER BY 1, 2, 3, 4",
    "buffer": "SELECT userid, movieid, rating, timestamp, batch_id FROM ratings_buffer ORDER BY 1, 2",
    "rejects": "SELECT path, row_number, raw_row FROM ops.rejected_rows ORDER BY 1, 2",
    "batches": "SELECT batch_id, record_count, status FROM ingestion_metadata ORDER BY 1",
    "alerts": "SELECT batch_id, feature_name, drift_score, threshold, alert_triggered FROM drift_alerts ORDER BY 1, 2",
    "decisions": "SELECT batch_id, md5, due, state FROM ops.retraining_decisions ORDER BY 1, 2",
    "champions": "SELECT v.artifact_sha256, v.data_size FROM ops.champion_changes c "
    "JOIN ops.model_versions v USING (version) ORDER BY c.id",
    "lists": "SELECT userid, rank, movieid, score FROM recommendations ORDER BY 1, 2",
    "attempts": "SELECT kind, work, state, attempts FROM ops.outstanding_work ORDER BY 1, 2",
}
_SETTLED = """
SELECT EXISTS (SELECT FROM ops.batches WHERE reported_md5 = md5 AND assessed_md5 = md5)
   AND NOT EXISTS (SELECT FROM ops.outstanding_work)
   AND EXISTS (SELECT FROM ops.retraining_decisions)
   AND NOT EXISTS (SELECT FROM ops.retraining_decisions WHERE state = 'waiting')
   AND (SELECT version FROM ops.champion) = (SELECT min(model_version) FROM recommendations)
   AND (SELECT min(model_version) = max(model_version) FROM recommendations)
"""
UNDER_WAY = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
_CAUSES = """
SELECT value FROM run_tags WHERE key LIKE 'failed/%' AND NOT value LIKE 'surroundings: %' ORDER BY 1
"""
_STEP = """
SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' AND step_key = %s
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left: of each table its rows and a hash of them, and the causes that count against a content."""

    tables: dict[str, tuple[int, str]]
    causes: tuple[str, ...]
    seconds: float

    def differences(self, clean: "Outcome") -> list[str]:
        """Name the tables that differ from another outcome's."""
        found = [f"{name} {self.tables[name][0]}/{rows[0]}" for name, rows in clean.tables.items()
                 if self.tables[name] != rows]  # fmt: skip
        return found + [cause for cause in self.causes if cause not in clean.causes]

    def as_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


@dataclass(slots=True)
class Home:
    """A home on which ``dev`` runs."""

    folder: Path
    pid: int
    started: float

    def url(self, database: str = WAREHOUSE) -> str | None:
        """The URL of the embedded server as it runs now; None while it does not."""
        data = server_folder(self.folder)
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
            return f"postgresql://postgres:@/{database}?host={lines[4]}"
        except (OSError, IndexError):
            return None

    def ask(self, query: str, *values: object, database: str = WAREHOUSE) -> list[tuple[object, ...]]:
        """Ask a database; nothing while it cannot be reached."""
        url = self.url(database)
        try:
            if url is None:
                return []
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                return connection.execute(query.encode(), values or None).fetchall()
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []

    def settled(self) -> bool:
        """Whether nothing is left to do and nothing runs."""
        return self.ask(_SETTLED) == [(True,)] and self.ask(UNDER_WAY, database=DAGSTER) == [(0,)]

    def has_started(self, step: str) -> bool:
        """Whether a run has begun with an asset."""
        return self.ask(_STEP, step, database=DAGSTER) not in ([], [(0,)])

    def services(self) -> list[psutil.Process]:
        """Every process below ``dev``."""
        return psutil.Process(self.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """The processes that carry out runs: below the process that serves the definitions."""
        return [process for process in self.services() if _is_worker(process)]

    def server(self) -> psutil.Process | None:
        """The embedded database's first process."""
        return find_server(server_folder(self.folder))

    def outcome(self) -> Outcome:
        """What stands in the tables."""
        found = {}
        for name, query in _TABLES.items():
            rows = self.ask(query)
            found[name] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()[:12])
        causes = tuple(str(value) for (value,) in self.ask(_CAUSES, database=DAGSTER))
        return Outcome(found, causes, time.monotonic() - self.started)


def command_of(process: psutil.Process) -> str:
    """What a process was started with; nothing of one that has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def _is_worker(process: psutil.Process) -> bool:
    try:
        words = " ".join(process.cmdline())
        return "spawn_main" in words and "grpc" in " ".join(process.parent().cmdline())  # type: ignore[union-attr]
    except (psutil.NoSuchProcess, psutil.ZombieProcess, AttributeError):
        return False


def drop_everything(home: Path) -> None:
    """Put a catalogue, a history and a batch that has drifted into the folder, as one person at one time."""
    drop_tables(home)
    drop_batch(home, drift=0.7, rows=ROWS, seed=1)


def drop_tables(home: Path, *, users: int = 200, share: float = 0.5) -> None:
    """Put a catalogue and a history into the folder."""
    (home / "drive").mkdir(parents=True, exist_ok=True)
    drop_history(
        Platform(
            settings=Settings.from_env({"CINEMATCH_HOME": str(home)}),
            folder=open_folder(str(home / "drive")),
            store=open_store(str(home / "store")),
            warehouse=Warehouse(""),
        ),
        users=users,
        share=share,
    )


def drop_batch(home: Path, *, drift: float, rows: int, seed: int) -> str:
    """Put the next weekly batch into the folder; return its id."""
    return simulate_into(home / "drive", drift=drift, rows=rows, seed=seed, rating_model=_history_s_rule).batch_id


def _history_s_rule(
    users: NDArray[np.int32], movies: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Even users like even movies, as in ``drop_history``: a model that learns from the batch gets better."""
    expected = 3.2 + np.where(users % 2 == movies % 2, 1.0, -1.0)
    return expected.astype(np.float32), np.full(len(users), 0.6, np.float32)


@contextmanager
def unattended(folder: Path | None = None) -> Iterator[Home]:
    """Start ``dev`` with its defaults on a new home, drop everything, and yield."""
    with short_folder() as made:
        place = folder or made
        home = place / "home"
        home.mkdir()
        with dev(home) as running:
            begun = Home(home, running.process.pid, time.monotonic())
            drop_everything(home)
            try:
                yield begun
            finally:
                if log := os.environ.get("CINEMATCH_TEST_LOGS"):
                    target = Path(log) / f"{int(time.time())}.log"
                    target.write_bytes((home / "logs" / "dagster.log").read_bytes())


def wait_for(condition: Callable[[], bool], what: str, *, deadline_s: float = 900.0, every_s: float = 1.0) -> None:
    """Ask until it holds.

    Raises:
        TimeoutError: naming ``what``.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s:.0f} s")
        time.sleep(every_s)


def settle(home: Home, *, deadline_s: float = 900.0) -> Outcome:
    """Wait until two looks in a row find everything done, and return what stands."""

    def twice() -> bool:
        if not home.settled():
            return False
        time.sleep(12)  # a tick of each sensor
        return home.settled()

    wait_for(twice, "everything done", deadline_s=deadline_s)
    return home.outcome()


def kill_run(home: Home, chance: random.Random) -> str:
    """Kill what carries out a run, when there is one."""
    wait_for(lambda: bool(home.workers()) or home.settled(), "a run to kill", every_s=0.1)
    time.sleep(chance.uniform(0, 3))
    killed = [process for process in home.workers() if _kill(process)]
    return f"{len(killed)} runs"


def kill_services(home: Home, chance: random.Random) -> str:
    """Kill all that ``dev`` started, runs included, but the database."""
    server = home.server()
    spared = {server.pid, *(child.pid for child in server.children())} if server else set()
    killed = [process for process in home.services() if process.pid not in spared and _kill(process)]
    return f"{len(killed)} processes of dev"


def kill_server(home: Home, chance: random.Random) -> str:
    """Kill the embedded database."""
    server = home.server()
    return "the database" if server is not None and _kill(server) else "nothing: no database ran"


def restart_server(home: Home) -> None:
    """Shut the embedded database down as an administrator does; ``dev`` starts it again."""
    server = home.server()
    assert server is not None
    server.send_signal(signal.SIGINT)


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


@contextmanager
def small_disk(size_mb: int) -> Iterator[Path]:
    """Yield a folder on a file system of its own, as root on Linux."""
    with short_folder() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "tmpfs", folder], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Write a file that takes all that is left on the disk."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
                file.flush()
        except OSError:
            return ballast
