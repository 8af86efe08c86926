"""What a process of its own does for tests of notifications.

Here: one round of sending that may be killed. Not here: what is claimed of it.
"""

import os
import signal
from pathlib import Path
from typing import Any

from cinematch_assets.messaging.channels import Channel
from cinematch_assets.pipeline.send_notifications import send_notifications
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.workers import die_at


def send(home: str, url: str, channels: str, order: int | None = None, place: str = "") -> None:
    """Send what is due; die before the n-th order to Postgres, or right ``before`` or ``after`` a message is sent."""
    platform = make_platform(Path(home), url, CINEMATCH_NOTIFY=channels)
    if place:
        _die_at_sending(place)
    if order is not None:
        die_at(order)
    send_notifications(platform, pause_s=0, first_gap_s=0)


def _die_at_sending(place: str) -> None:
    sending = Channel.send

    def send_and_die(self: Channel, message: Any) -> None:
        if place == "after":
            sending(self, message)
        os.kill(os.getpid(), signal.SIGKILL)

    Channel.send = send_and_die  # type: ignore[method-assign]
