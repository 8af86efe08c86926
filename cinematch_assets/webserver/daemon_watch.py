"""Tell people that Dagster's daemon, or the sensor that tells them, is silent: those cannot say so themselves.

The webserver is the other process that every deployment has. Here: a thread that looks at the daemon's heartbeat and
sends when nothing else does. Not here: what counts as silent (``pipeline.attention``), sending
(``pipeline.send_notifications``). While the daemon works it sends nothing.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.errors import CinematchError
from cinematch_assets.limits import MAX_SILENCE
from cinematch_assets.pipeline.attention import is_sender_silent, watch
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.send_notifications import send_notifications

LOOK_S = 60.0
_LOG = logging.getLogger(__name__)


def start_daemon_watch(
    open_platform: Callable[[], Platform],
    open_instance: Callable[[], dg.DagsterInstance],
    *,
    first_s: float = MAX_SILENCE.total_seconds(),
    look_s: float = LOOK_S,
) -> threading.Event:
    """Start the thread; return an event that ends it. It never keeps the process from ending.

    Args:
        open_platform: called at the first look that finds the daemon silent.
        open_instance: Dagster's instance, whose storage has the heartbeat.
        first_s: until the first look. A daemon that starts beside this process has time for its first heartbeat.
        look_s: between two looks.
    """
    ended = threading.Event()

    def run() -> None:
        if ended.wait(first_s):
            return
        with open_instance() as instance:
            while True:
                try:
                    send_if_silent(open_platform, instance)
                except (CinematchError, dg.DagsterError, SQLAlchemyError, OSError):  # the next look may find it again
                    _LOG.exception("the look at the daemon's heartbeat failed; the next one is in %.0f s", look_s)
                if ended.wait(look_s):
                    return

    threading.Thread(target=run, name="daemon-watch", daemon=True).start()
    return ended


def send_if_silent(open_platform: Callable[[], Platform], instance: dg.DagsterInstance) -> bool:
    """Record what is silent and send what is due, if the sensor that does it is silent; return whether it was."""
    automation = read_automation(instance)
    if not is_sender_silent(automation, datetime.now(UTC)):
        return False
    platform = open_platform()
    watch(platform, automation)
    _LOG.warning("the daemon is silent; notifications: %s", send_notifications(platform))
    return True
