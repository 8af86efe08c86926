"""Other processes for tests: to work beside the test, or to be killed in the middle.

Here: starting them from a server that has the imports done already, and dying at the n-th order to Postgres. Not here:
what is claimed of them.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from typing import Any

import psycopg

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["cinematch_assets_tests.support.warehouse_jobs", "cinematch_assets_tests.support.collection_jobs"]
)


def start(job: Callable[..., Any], *arguments: object) -> ForkServerProcess:
    """Run a function of ``jobs`` in a process of its own."""
    process = _CONTEXT.Process(target=job, args=arguments, daemon=True)
    process.start()
    return process


def finish(*processes: ForkServerProcess, deadline_s: float = 60.0) -> list[int | None]:
    """Wait for processes; return their exit codes, -9 for a killed one."""
    for process in processes:
        process.join(deadline_s)
    return [process.exitcode for process in processes]


def die_at(order: int) -> None:
    """From now on this process kills itself, without any clean-up, right before its n-th order or block of COPY."""
    left = [order]

    def mortal(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **named)

        return call

    for owner, name in ((psycopg.Cursor, "execute"), (psycopg.Copy, "write")):
        setattr(owner, name, mortal(getattr(owner, name)))


@contextmanager
def counted_orders() -> Iterator[list[int]]:
    """Count the orders that this process gives to Postgres, in the one element of the list."""
    given = [0]
    before = {(o, n): getattr(o, n) for o, n in ((psycopg.Cursor, "execute"), (psycopg.Copy, "write"))}

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> Any:
            given[0] += 1
            return method(*arguments, **named)

        return call

    try:
        for (owner, name), method in before.items():
            setattr(owner, name, counted(method))
        yield given
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


def count_orders(job: Callable[[], Any]) -> int:
    """Run a job here and count its orders to Postgres."""
    with counted_orders() as given:
        job()
    return given[0]
