"""``cinematch stop``: stop a ``cinematch dev``, or clean up after one that was killed.

Here: the command and the order, Dagster first and its database last. Not here: finding processes (``processes``).
"""

import os
import signal
import time

from cinematch_assets.cli.output import out
from cinematch_assets.cli.processes import end_marked, holder, runs
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.embedded import list_users, stop_server


def stop() -> None:
    """Stop `dev`, or clean up after one that was killed; then stop the embedded database.

    Example: cinematch stop
    """
    home = Settings.from_env().home
    stopped = []
    if running := holder(home):
        _end(running.pid)
        stopped.append("cinematch dev")
    if processes := end_marked(home):
        stopped.append(f"{processes} processes of Dagster")
    if others := [pid for pid in list_users(home) if pid != os.getpid()]:
        out.print(f"The embedded database stays up for process {', '.join(map(str, others))}.")
    elif stop_server(home):
        stopped.append("the embedded database")
    out.print(f"Stopped: {', '.join(stopped)}." if stopped else f"Nothing runs on {home}.")


def _end(pid: int, deadline_s: float = 90.0) -> None:
    """Ask a ``dev`` to stop, which ends its Dagster first; kill it when that takes too long."""
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + deadline_s
    while runs(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
