"""Which process a pid in a file means, if it still means one.

Here: comparing pid, start time, user and command line. Not here: the processes that belong to a
home (``cli.processes``, ``warehouse.embedded``).

A pid alone is no identity: after a power cut or a container's restart the number belongs to some other program.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import psutil

_LOOK_EVERY_S = 0.05
START_TOLERANCE_S = 5.0  # files hold whole seconds, written a moment after the start


def find_process(
    pid: int, *, program: str, arguments: Sequence[str], uid: int, started_at_s: float | None
) -> psutil.Process | None:
    """Return the process ``pid`` if all of it matches, otherwise None: the number then belongs to another process.

    Args:
        pid: From a file.
        program: File name of the program, without its folder.
        arguments: Words that stand next to each other in the command line, such as ``-D`` and a folder.
        uid: The user it runs as.
        started_at_s: Its start in seconds since the epoch; None where the caller knows by other means that it is the
            same process.
    """
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            is_same = (
                process.status() != psutil.STATUS_ZOMBIE
                and process.uids().real == uid
                and _runs(process.cmdline(), program, arguments)
                and (started_at_s is None or abs(process.create_time() - started_at_s) <= START_TOLERANCE_S)
            )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if is_same else None


def is_running(process: psutil.Process) -> bool:
    """Return whether this very process runs; a zombie does not, and neither does a later one with its pid."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_ended(processes: Sequence[psutil.Process], *, deadline_s: float) -> list[psutil.Process]:
    """Wait until none of these processes runs, and return those that still do after ``deadline_s``.

    Unlike ``psutil.wait_procs``, an ended process that its parent never waits for does not run: in a container the
    first process, which inherits such children, is often a program that waits for none.
    """
    end = time.monotonic() + deadline_s
    while (left := [process for process in processes if is_running(process)]) and time.monotonic() < end:
        time.sleep(_LOOK_EVERY_S)
    return left


def _runs(command_line: Sequence[str], program: str, arguments: Sequence[str]) -> bool:
    if not command_line or Path(command_line[0]).name != program:
        return False
    width = len(arguments)
    return any(list(command_line[i : i + width]) == list(arguments) for i in range(len(command_line) - width + 1))
