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
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import psutil

from cinematch_assets.errors import CinematchError
from cinematch_assets.private_files import make_home, open_private
from cinematch_assets.process_identity import is_running, wait_until_ended

MARK = "CINEMATCH_DEV_HOME"


_WRITTEN_WITHIN_S = 5.0
"""How long a ``dev`` may take from locking to writing down who it is."""


class AlreadyRunningError(CinematchError):
    """Another ``cinematch dev`` runs on this home, or something else holds its lock."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The ``dev`` that holds a home: its process, when that started, and the UI's address."""

    pid: int
    started_at_s: float
    url: str

    def process(self) -> psutil.Process | None:
        """Return the process, if it is still this one and of this machine."""
        try:
            found = psutil.Process(self.pid)
            is_same = found.create_time() == self.started_at_s and is_running(found)
        except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError, TypeError, OverflowError):
            return None
        return found if is_same else None


@contextmanager
def hold(home: Path, url: str) -> Iterator[None]:
    """Hold the lock of the one ``dev`` on ``home`` for the length of the block.

    Raises:
        AlreadyRunningError: Another one runs; the message has its address.
    """
    make_home(home)
    with _open(home) as lock:
        while not _try_lock(lock, fcntl.LOCK_EX):
            if other := holder(home):  # None: it was only someone who looked
                raise AlreadyRunningError(
                    f"{home}: `cinematch dev` runs on it already, at {other.url}; `cinematch stop` ends it"
                )
        lock.truncate(0)
        lock.write(json.dumps(asdict(Holder(os.getpid(), psutil.Process().create_time(), url))))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def holder(home: Path, *, deadline_s: float = _WRITTEN_WITHIN_S) -> Holder | None:
    """Return the ``dev`` that runs on ``home``, if one does.

    What stands in the file counts only while its process holds the lock: a killed ``dev`` leaves its pid there, which
    becomes another program's, and in another container the same pid is another program's.

    Raises:
        AlreadyRunningError: The lock is held, and by no ``dev`` of this machine.
    """
    if not _lock_file(home).exists():
        return None
    end = time.monotonic() + deadline_s
    with _open(home) as lock:
        while not _try_lock(lock, fcntl.LOCK_SH):
            if found := _read_holder(lock):
                return found
            if time.monotonic() > end:
                raise AlreadyRunningError(
                    f"{_lock_file(home)} is locked, and by no `cinematch dev` of this machine: end it where it runs"
                )
            time.sleep(0.1)
    return None


def _open(home: Path) -> TextIO:
    return os.fdopen(open_private(_lock_file(home), os.O_RDWR), "r+")


def _try_lock(lock: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(lock: TextIO) -> Holder | None:
    """Return who is written in the file, if that process runs; a ``dev`` that has just begun has not written it yet."""
    lock.seek(0)
    try:
        found = Holder(**json.loads(lock.read()))
    except (ValueError, TypeError):
        return None
    return found if found.process() else None


def _lock_file(home: Path) -> Path:
    return home / "dev.lock"


def end_marked(home: Path, *, deadline_s: float = 40.0) -> int:
    """End Dagster's processes on ``home`` and return how many there were.

    Top-level processes get SIGTERM first, because they end their children in order; then the remaining ones, such as
    the workers of runs, which cancel their run. Processes that still run after that are killed.
    """
    found = marked(home)
    pids = {process.pid for process in found}
    _send(signal.SIGTERM, [process for process in found if _parent_pid(process) not in pids])
    wait_until_ended(found, deadline_s=deadline_s)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = marked(home)
        _send(number, left)
        wait_until_ended(left, deadline_s=deadline_s / 4)
    return len(found)


def marked(home: Path) -> list[psutil.Process]:
    """List all processes that a ``cinematch dev`` on ``home`` started, at any depth, except the database's."""
    return [process for process in psutil.process_iter() if _mark(process) == str(home.resolve())]


def running_pids() -> set[int]:
    """The pids of all processes of this machine that have not ended."""
    return {process.pid for process in psutil.process_iter() if is_running(process)}


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
