"""Memory and processor time of a process tree and of the embedded Postgres server, in samples.

Here: sampling, and what a stretch of time took. Not here: what is run meanwhile (``end_to_end``, ``load``).

Memory is the proportional set size (PSS): memory that several processes share counts once in all. Processor time is
that of living processes and of those that their parents have waited for.
"""

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from cinematch_assets.warehouse.server_files import server_folder

GAP_S = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at a process tree and at the server."""

    at: float  # Unix seconds
    process_mb: float
    server_mb: float
    processor_s: float  # of both, since they began


@dataclass(frozen=True, slots=True)
class Use:
    """What a stretch of time took; memory in MB of 10^6 bytes, the most of process, server and both at one time."""

    processor_s: float
    process_mb: float
    server_mb: float
    total_mb: float


@contextmanager
def watched(pid: int, home: Path) -> Iterator[list[Sample]]:
    """Yield a list that a thread fills with samples of a process and of the server of ``home``."""
    samples: list[Sample] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            samples.append(_sample(pid, home))
            ended.wait(GAP_S)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def use_between(samples: Sequence[Sample], start: float, end: float) -> Use:
    """Return what was used from ``start`` to ``end``, Unix seconds; processor time is interpolated at both ends."""
    times = [each.at for each in samples]
    used = np.maximum.accumulate([each.processor_s for each in samples])  # that of a process ends with it
    begun, done = np.interp([start, end], times, used)
    inside = samples[bisect_left(times, start) : bisect_right(times, end)]
    if not inside:  # shorter than the gap
        inside = samples[max(bisect_left(times, start) - 1, 0) :][:1]
    return Use(
        float(done - begun),
        max(each.process_mb for each in inside),
        max(each.server_mb for each in inside),
        max(each.process_mb + each.server_mb for each in inside),
    )


def server_processes(home: Path) -> list[psutil.Process]:
    """Return the processes of the embedded server; none while it is being made."""
    try:
        pid = int((server_folder(home) / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(abs(pid))  # negative while initdb works
        return [postmaster, *postmaster.children(recursive=True)]
    except (FileNotFoundError, psutil.NoSuchProcess):
        return []


def memory_mb(processes: Sequence[psutil.Process]) -> float:
    """Return the memory of the processes that are alive."""
    return sum(_pss(process) for process in processes) / 1e6


def _sample(pid: int, home: Path) -> Sample:
    server, tree = server_processes(home), _tree(pid)
    return Sample(
        time.time(), memory_mb(tree), memory_mb(server), sum(_processor_s(process) for process in [*tree, *server])
    )


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


def _processor_s(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))  # user, system, and both of its ended children
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0
