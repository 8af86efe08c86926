"""``cinematch stop``: stop a ``cinematch dev``, or clean up after one that was killed.

Here: the command and the order, Dagster first and its database last. Not here: finding processes (``processes``).
"""

import os
import time
from contextlib import suppress

import psutil

from cinematch_assets.cli.output import out
from cinematch_assets.cli.processes import end_marked, holder
from cinematch_assets.process_identity import is_running
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.embedded import list_users, stop_server


def stop() -> None:
    """Stop `dev`, or clean up after one that was killed; then stop the embedded database.

    Example: cinematch stop
    """
    home = Settings.from_env().home
    stopped = []
    if (running := holder(home)) and (process := running.process()):
        _end(process)
        stopped.append("cinematch dev")
    if processes := end_marked(home):
        stopped.append(f"{processes} processes of Dagster")
    if others := [pid for pid in list_users(home) if pid != os.getpid()]:
        out.print(f"The embedded database stays up for process {', '.join(map(str, others))}.")
    elif stop_server(home):
        stopped.append("the embedded database")
    out.print(f"Stopped: {', '.join(stopped)}." if stopped else f"Nothing runs on {home}.")


def _end(process: psutil.Process, deadline_s: float = 90.0) -> None:
    """Ask a ``dev`` to stop, which ends its Dagster first; kill it when that takes too long."""
    with suppress(psutil.NoSuchProcess):  # it ended meanwhile; psutil sends nothing to a later process with its pid
        process.terminate()
        end = time.monotonic() + deadline_s
        while is_running(process):
            if time.monotonic() > end:
                process.kill()
            time.sleep(0.1)
