"""Send each channel of ``CINEMATCH_NOTIFY`` what it was not sent yet.

Here: one round over the channels. Not here: recording facts (``warehouse.notifications``), how a channel is reached
(``messaging.channels``), who starts a round (``defs.automation.notification_sensor``).
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cinematch_assets.attempts import MAX_GAP_S
from cinematch_assets.messaging.channels import Channel, ChannelError, read_channels
from cinematch_assets.messaging.message import Message, compose
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.notification_messages import (
    PAUSE_S,
    claim_message,
    finish_message,
    postpone_message,
    register_channel,
)

FIRST_GAP_S = 30.0
"""Pause after a message was not taken for the first time; it doubles up to a quarter of an hour."""
BUDGET_S = 20.0
"""No further channel is tried in a round after this time: Dagster ends a sensor's evaluation after 60 s."""
TEST_MESSAGE = Message("test", "CineMatch: test", "This is what cinematch notify test sends. There is nothing to do.")
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Round:
    """What a round did: notifications sent by channel, and a sentence for each that was not."""

    sent: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """In one line."""
        sent = [f"{label}: {number} sent" for label, number in self.sent.items()]
        return "; ".join((*sent, *self.faults)) or "nothing to send"


def gap_s(attempts: int, first_gap_s: float = FIRST_GAP_S) -> float:
    """Return the pause after that many attempts to send a message, in seconds."""
    return float(min(first_gap_s * 2.0 ** min(attempts - 1, 16), MAX_GAP_S))


def send_notifications(
    platform: Platform, *, pause_s: float = PAUSE_S, first_gap_s: float = FIRST_GAP_S, budget_s: float = BUDGET_S
) -> Round:
    """Send each channel its next message, if one is due; one that does not take it holds up no other.

    Args:
        platform: its settings name the channels.
        pause_s: how long after a channel's last message the next one is held back.
        first_gap_s: pause after the first failure.
        budget_s: after this time no further channel is tried.
    """
    channels = read_channels(platform.settings.notify)
    done = Round(faults=list(channels.faults))
    until = time.monotonic() + budget_s
    for channel in channels.usable:
        if time.monotonic() > until:
            done.faults.append(f"{channel.label}: left for the next round")
            continue
        with platform.warehouse.session() as session:
            session.run(register_channel, channel.key, channel.label)
            claimed = session.run(claim_message, channel.key, pause_s=pause_s)
        if claimed is None:
            continue
        try:
            channel.send(compose(claimed.id, claimed.notifications))
        except ChannelError as fault:
            _LOG.warning("%s", fault)
            done.faults.append(str(fault))
            platform.warehouse.run(postpone_message, claimed.id, str(fault), gap_s(claimed.attempts, first_gap_s))
        else:
            platform.warehouse.run(finish_message, claimed.id)
            done.sent[channel.label] = len(claimed.notifications)
    return done


def try_channels(channels: Sequence[Channel]) -> dict[str, str]:
    """Send each channel a test message; return by its label why it did not take it, empty when it did."""
    results = {}
    for channel in channels:
        try:
            channel.send(TEST_MESSAGE)
        except ChannelError as fault:
            results[channel.label] = str(fault)
        else:
            results[channel.label] = ""
    return results
