"""The text of a message: one notification, or several that came at once.

Here: plain text of bounded length. Not here: escaping it for mail or chat, which apprise does for text that is declared
plain (``messaging.channels``).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from cinematch_assets.values import Notification

MAX_SHOWN = 20
"""Notifications whose text is in one message; the others are counted, and ``cinematch status`` has them."""
MAX_GROUPED_BODY_LENGTH = 300
_CONTROL = re.compile(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_CHAT_MARKUP = re.compile(
    r"@(?=everyone|here|channel|all)"  # calls everyone, also within a word
    r"|(?<!\w)@(?=\w)"  # calls one person
    r"|<(?=[!@#/a-z])"  # a tag, a bare link, Slack's and Discord's mentions
    r"|\](?=[(\[])"  # the middle of a link or a picture
    r"|`(?=`)",  # a block of code, which would swallow what to do next
    re.IGNORECASE,
)
_WORD_JOINER = "\N{WORD JOINER}"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent; ``id`` stays the same when it has to be sent again."""

    id: str
    title: str
    body: str


def compose(message_id: str, notifications: Sequence[Notification]) -> Message:
    """Write the message that carries these notifications, oldest first."""
    if len(notifications) == 1:
        (only,) = notifications
        title, parts = only.subject, [_entry(only)]
    else:
        kinds = Counter(each.kind for each in notifications)
        title = f"{len(notifications)} messages: " + ", ".join(f"{n} × {kind}" for kind, n in kinds.most_common())
        parts = [f"• {each.subject}\n{_entry(each, MAX_GROUPED_BODY_LENGTH)}" for each in notifications[:MAX_SHOWN]]
        if len(notifications) > MAX_SHOWN:
            parts.append(f"… and {len(notifications) - MAX_SHOWN} more: run cinematch notify list")
    parts.append(f"Message {message_id}. Should it come twice, it is the same one.")
    return Message(message_id, _harmless(f"CineMatch: {title}"), _harmless("\n\n".join(parts)))


def _entry(notification: Notification, max_length: int | None = None) -> str:
    body = notification.body
    if max_length is not None and len(body) > max_length:
        body = body[: max_length - 1] + "…"
    told_at = f"{notification.recorded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    next_step = f"Next: {notification.next_step}" if notification.next_step else ""
    return "\n".join(line for line in (body, next_step, told_at) if line)


def _harmless(text: str) -> str:
    """Remove control and direction characters, and break the signs by which a chat would call people or draw a link.

    Not every service escapes what it is told is plain: an invisible joiner stands where its markup would begin.
    """
    return _CHAT_MARKUP.sub(lambda sign: sign[0] + _WORD_JOINER, _CONTROL.sub(" ", text))
