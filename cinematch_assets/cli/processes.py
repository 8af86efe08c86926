"""The ``cinematch dev`` that runs on a home, and the processes it started.

Here: the lock that a ``dev`` holds, the marker in its processes' environment, ending them in order. Not here: starting
them (``dev``), the database's processes (``warehouse.embedded``).

A lock ends with its process, and the marker finds orphans of a killed parent. Unlike a pid in a file, neither can point
to a process of another program.
"""

import fcntl
import json
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from cinematch_assets.errors import CinematchError
from cinematch_assets.private_files import make_home

MARK = "CINEMATCH_DEV_HOME"


class AlreadyRunningError(CinematchError):
    """Another ``cinematch dev`` runs on this home."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The ``dev`` that holds a home: its process and the UI's address."""

    pid: int
    url: str


@contextmanager
def hold(home: Path, url: str) -> Iterator[None]:
    """Hold the lock of the one ``dev`` on ``home`` for the length of the block.

    Raises:
        AlreadyRunningError: Another one runs; the message has its address.
    """
    make_home(home)
    with _lock_file(home).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"{home}: `cinematch dev` runs on it already{_where(home)}; `cinematch stop` ends it"
            ) from None
        lock.truncate(0)
        lock.write(json.dumps(asdict(Holder(os.getpid(), url))))
        lock.flush()
        yield


def holder(home: Path) -> Holder | None:
    """Return the ``dev`` that runs on ``home``, if one does."""
    if not _lock_file(home).exists():
        return None
    with _lock_file(home).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Holder(**json.loads(lock.read()))
    return None


def runs(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _lock_file(home: Path) -> Path:
    return home / "dev.lock"


def _where(home: Path) -> str:
    other = holder(home)
    return f", at {other.url}" if other else ""


def end_marked(home: Path, *, deadline_s: float = 40.0) -> int:
    """End Dagster's processes on ``home`` and return how many there were.

    Top-level processes get SIGTERM first, because they end their children in order; then the remaining ones, such as
    the workers of runs, which cancel their run. Processes that still run after that are killed.
    """
    found = marked(home)
    pids = {process.pid for process in found}
    _send(signal.SIGTERM, [process for process in found if _parent_pid(process) not in pids])
    psutil.wait_procs(found, timeout=deadline_s)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = marked(home)
        _send(number, left)
        psutil.wait_procs(left, timeout=deadline_s / 4)
    return len(found)


def marked(home: Path) -> list[psutil.Process]:
    """List all processes that a ``cinematch dev`` on ``home`` started, at any depth, except the database's."""
    return [process for process in psutil.process_iter() if _mark(process) == str(home.resolve())]


def _mark(process: psutil.Process) -> str | None:
    try:
        if process.name() == "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(MARK)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None  # gone meanwhile, or another user's


def _parent_pid(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def _send(number: signal.Signals, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(number)  # psutil makes sure that the pid is still the same process
        except psutil.NoSuchProcess:
            continue
