"""Sessions of a database that end in the middle of what a test does.

Here: ending them before the n-th order to Postgres, and restarting a server. Not here: killing the process itself
(``support.workers``).
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg


@contextmanager
def interrupted_at(order: int, interrupt: Callable[[], None]) -> Iterator[list[bool]]:
    """Call ``interrupt`` before the n-th order or block of COPY of this process; say whether it came to that."""
    left, done = [order], [False]
    before = {(o, n): getattr(o, n) for o, n in ((psycopg.Cursor, "execute"), (psycopg.Copy, "write"))}

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> Any:
            left[0] -= 1
            if left[0] == 0 and not done[0]:
                done[0] = True
                interrupt()
            return method(*arguments, **named)

        return call

    try:
        for (owner, name), method in before.items():
            setattr(owner, name, counting(method))
        yield done
    finally:
        for (owner, name), method in before.items():
            setattr(owner, name, method)


def end_sessions(url: str) -> None:
    """End each session of the database of ``url``, a direct one, but the one that this takes."""
    with psycopg.connect(url, autocommit=True) as connection:
        pids = connection.pgconn.exec_(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            b" WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert pids.status == psycopg.pq.ExecStatus.TUPLES_OK


def restart_server(url: str) -> None:
    """Restart the server of ``url``, a direct one, as an administrator does: what is open is rolled back."""
    _control(url, "restart")


def stop_restarted(url: str) -> None:
    """Stop a server that was restarted, and so is no longer a child of this process."""
    _control(url, "stop")


def _control(url: str, order: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        ((data,),) = connection.execute("SHOW data_directory").fetchall()
    folder = Path(data)
    pid, owner = (folder / "postmaster.pid").read_text().split()[0], folder.stat()
    program = Path(f"/proc/{pid}/exe").readlink().parent / "pg_ctl"
    user: dict[str, Any] = (
        {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    words = [str(program), "-D", data, "-m", "fast", "-w", "-t", "120", "-l", f"{data}/log.restarted", order]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=data, **user)
