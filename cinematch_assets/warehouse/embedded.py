"""The Postgres server that comes in a wheel, where no other is configured.

Here: starting it, its databases, stopping it. Not here: its files (``server_files``), its users (``server_users``),
schemas (``migrations``). The server runs while a process uses it; several processes share it, over a socket.
"""

import atexit
import contextlib
import os
import shlex
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import errors, sql

from cinematch_assets.private_files import make_home
from cinematch_assets.process_identity import find_process, wait_until_ended
from cinematch_assets.warehouse.connection import WarehouseUnavailableError
from cinematch_assets.warehouse.server_account import ServerAccount, account_of
from cinematch_assets.warehouse.server_files import (
    SOCKET,
    choose_server_folder,
    make_data_directory,
    make_socket_folder,
    remove_socket_folder,
    server_folder,
    usable_programs,
    write_access_rules,
)
from cinematch_assets.warehouse.server_users import ServerUse, list_server_users, server_lock

WAREHOUSE = "cinematch"
DAGSTER = "dagster"
_START_DEADLINE_S = 300  # after a crash it replays its log first
_LEFTOVER = "pre-existing shared memory block"  # processes of a killed server are still ending
# A killed server's files. Postgres would believe the pid in them, although it has become another process'. The last one
# is an earlier version's list of users.
_LEFT_BY_THE_DEAD = ("postmaster.pid", SOCKET, f"{SOCKET}.lock", ".handle_pids.json")
_PID_FILE_BYTES = 10_000
_USES: dict[Path, ServerUse] = {}


@dataclass(frozen=True, slots=True)
class PidFile:
    """What ``postmaster.pid`` says about the server that wrote it."""

    pid: int
    started_at_s: float
    port: int
    socket_folder: Path


def embedded_url(home: Path, database: str = WAREHOUSE) -> str:
    """Start the embedded server under ``home`` unless it runs, make ``database`` unless it exists, return its URL.

    The server stays up at least as long as this process does.

    Raises:
        ServerAccountError: The server's user cannot enter the folder.
        ServerFilesError: The data cannot be made or used.
        WarehouseUnavailableError: It does not start; with the last line of its log.
    """
    home = make_home(home).resolve()
    socket_folder, connection = _connect(home)
    with connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if not exists:
            # Another process may make it between the question and the order.
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return _url(socket_folder, database)


def embedded_server(home: Path) -> tuple[int, str]:
    """Start the embedded server under ``home`` unless it runs; return the id of its process and the warehouse's URL.

    Raises:
        WarehouseUnavailableError: It does not start, or ended at once.
    """
    url, folder = embedded_url(home), server_folder(home)
    server = find_server(folder)
    if server is None:
        raise WarehouseUnavailableError(f"the embedded server under {folder} ended right after its start")
    return server.pid, url


def stop_server(home: Path) -> bool:
    """Stop the embedded server, even while other processes use it; return whether one was running."""
    if not server_folder(home).exists():
        return False
    with server_lock(home.resolve()):
        return _stop(server_folder(home))


def list_users(home: Path) -> list[int]:
    """Return the pids of the processes that use the embedded server of ``home``."""
    if not server_folder(home).exists():
        return []
    with server_lock(home.resolve()):
        return list_server_users(home.resolve())


def find_server(folder: Path) -> psutil.Process | None:
    """Return the server that runs on the data in ``folder``; a pid of anything else in its file counts for nothing."""
    written = _read_pid_file(folder)
    if written is None:
        return None
    # The time in the file is the wall clock's, which may have been set since. The kernel's word on who listens at the
    # socket, in a folder that only the server's user can write to, is as good.
    started_at_s = None if _listener(written) == written.pid else written.started_at_s
    return find_process(
        written.pid,
        program="postgres",
        arguments=("-D", str(folder)),
        uid=folder.stat().st_uid,
        started_at_s=started_at_s,
    )


def _connect(home: Path, *, deadline_s: float = 30.0) -> tuple[Path, psycopg.Connection]:
    """Start or join the server, and connect; once more where it was just then being killed or stopped."""
    end = time.monotonic() + deadline_s
    while True:
        with server_lock(home):
            socket_folder = _start(home)
            _use(home)
        try:
            return socket_folder, psycopg.connect(_url(socket_folder, "postgres"), autocommit=True)
        except psycopg.OperationalError as fault:
            if time.monotonic() > end:
                raise WarehouseUnavailableError(
                    f"the embedded server under {server_folder(home)} runs and takes no connection: "
                    f"{str(fault).strip().splitlines()[-1].strip()}"
                ) from fault
        time.sleep(0.2)


def _start(home: Path) -> Path:
    """Start the server unless it runs, under the lock; return the folder of its socket."""
    account = account_of(server_folder(home))
    folder = choose_server_folder(home, account)
    running, written = find_server(folder), _read_pid_file(folder)
    if running and written:
        return written.socket_folder
    make_data_directory(folder, account)
    if written:
        remove_socket_folder(written.socket_folder, account)
    for name in _LEFT_BY_THE_DEAD:
        (folder / name).unlink(missing_ok=True)
    end = time.monotonic() + _START_DEADLINE_S
    while True:
        log_start = (folder / "log").stat().st_size if (folder / "log").exists() else 0
        if _run_server(folder, account):
            break
        said = _log_since(folder / "log", log_start)
        if _LEFTOVER not in said or time.monotonic() > end:
            raise WarehouseUnavailableError(
                f"the embedded server under {folder} does not start: {_last_line(said) or 'it left no log'}"
            )
        time.sleep(0.5)
    written = _read_pid_file(folder)
    if written is None:
        raise WarehouseUnavailableError(f"the embedded server under {folder} ended again: {folder / 'log'} says why")
    return written.socket_folder


def _run_server(folder: Path, account: ServerAccount) -> bool:
    """Start the server in the background and wait until it accepts connections; return whether it does."""
    socket_folder = make_socket_folder(folder, account)
    rules, names = write_access_rules(folder, account)
    options = ["-h", "", "-k", str(socket_folder), "-c", f"hba_file={rules}", "-c", f"ident_file={names}"]
    command: list[str | Path] = [
        "-w",
        "-t",
        str(_START_DEADLINE_S),
        "-D",
        folder,
        "-l",
        folder / "log",
        "-o",
        shlex.join(options),
    ]
    try:
        started = account.run(
            [usable_programs(folder, account) / "pg_ctl", *command, "start"], timeout_s=_START_DEADLINE_S + 30
        )
    except subprocess.TimeoutExpired:
        return False
    if started.returncode:
        remove_socket_folder(socket_folder, account)
    return started.returncode == 0


def _use(home: Path) -> None:
    """Count this process as a user until it ends, under the lock."""
    use = _USES.get(home)
    if use and use.pid == os.getpid() and use.exists():
        return
    if use is None:
        atexit.register(_end_use, home)
    _USES[home] = ServerUse(home)


def _end_use(home: Path) -> None:
    """At the process' end: stop the server if no other process uses it."""
    use = _USES.pop(home, None)
    if use is None or use.pid != os.getpid() or not use.exists():  # a forked child, or the home was removed
        return
    with server_lock(home):
        use.end()
        if not list_server_users(home):
            _stop(server_folder(home))


def _stop(folder: Path, *, deadline_s: float = 30.0) -> bool:
    server, written = find_server(folder), _read_pid_file(folder)
    if server is None:
        return False
    server.send_signal(signal.SIGINT)  # Postgres' fast shutdown: transactions are rolled back
    if wait_until_ended([server], deadline_s=deadline_s):
        server.send_signal(signal.SIGQUIT)  # immediate; the next start recovers from the log
        if wait_until_ended([server], deadline_s=deadline_s):
            raise WarehouseUnavailableError(f"the embedded server under {folder} (pid {server.pid}) does not end")
    if written:
        remove_socket_folder(written.socket_folder, account_of(folder))
    return True


def _read_pid_file(folder: Path) -> PidFile | None:
    """Read ``postmaster.pid``; None when there is none, or when it is damaged or not yet complete."""
    try:
        descriptor = os.open(folder / "postmaster.pid", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        lines = os.read(descriptor, _PID_FILE_BYTES).decode(errors="replace").splitlines()
        return PidFile(int(lines[0]), float(lines[2]), int(lines[3]), Path(lines[4]))
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)


def _listener(written: PidFile) -> int | None:
    """Return the pid of the process that listens at the server's socket, where the system tells it (Linux)."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(written.socket_folder / f".s.PGSQL.{written.port}"))
        except OSError:
            return None
        size = struct.calcsize("3i")
        pid: int = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
        return pid


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://postgres:@/{database}?host={quote(str(socket_folder))}"


def _log_since(log: Path, start: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if "FATAL" in line] or text.splitlines()
    return lines[-1] if lines else ""
