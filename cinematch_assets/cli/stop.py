"""``cinematch stop``: end what a ``cinematch dev`` runs, or what a killed one left running.

Here: the order, Dagster first and its database last. Not here: how processes are found (``processes``).
"""

import os
import signal
import time

from cinematch_assets.cli.output import out
from cinematch_assets.cli.processes import end_marked, holder, runs
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.embedded import forget_dead_handles, server_folder, stop_server


def stop_all() -> None:
    """End Dagster's UI and daemon, then the embedded database unless another command is using it; say what ended."""
    home = Settings.from_env().home
    ended = []
    if running := holder(home):
        _end(running.pid)
        ended.append("cinematch dev")
    if processes := end_marked(home):
        ended.append(f"{processes} processes of Dagster")
    users = forget_dead_handles(server_folder(home))
    if others := [pid for pid in users if pid != os.getpid() and runs(pid)]:
        out.print(f"The embedded database stays up for process {', '.join(map(str, others))}.")
    elif stop_server(home):
        ended.append("the embedded database")
    out.print(f"Ended: {', '.join(ended)}." if ended else f"Nothing runs on {home}.")


def _end(pid: int, deadline_s: float = 90.0) -> None:
    """Ask a ``dev`` to stop, which ends its Dagster first; kill it when that takes too long."""
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + deadline_s
    while runs(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def stop() -> None:
    """Stop `dev`, or clean up after one that was killed; then stop the embedded database."""
    stop_all()
