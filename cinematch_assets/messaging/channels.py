"""Channels of ``CINEMATCH_NOTIFY``: apprise URLs, by which mail, chat services and webhooks are reached.

Here: reading them, sending one message to one of them. Not here: what is sent (``messaging.message``), when
(``warehouse.notification_messages``). A URL may hold a password or a token: neither it nor a part of it is ever in a
message, a log, a table or an error.
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.messaging.message import Message

ID_HEADER = "X-Cinematch-Message"
"""Carries the message's id where a service takes headers, mail and webhooks: a receiver can tell a repetition by it."""
TIMEOUT_S = 4.0
_SEPARATOR = re.compile(r"[\s,]+(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_SALT = b"cinematch notification channel"
_MIN_SECRET_LENGTH = 3
_APPRISE = logging.getLogger("apprise")
_LOG_URLS = tuple(logging.getLogger(name) for name in ("urllib3", "urllib3.connectionpool", "requests"))


class ChannelUrlError(CinematchError):
    """A URL in CINEMATCH_NOTIFY that apprise does not know."""


class ChannelError(SurroundingsError):
    """A channel did not take a message."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One URL of ``CINEMATCH_NOTIFY``."""

    key: str
    """By which it is known in tables: 32 hexadecimal digits that do not tell the URL."""
    label: str
    """For people: the service, and which URL it is."""
    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Send a message once, without trying again.

        Raises:
            ChannelError: it was not taken, or it is unknown whether it was; without secrets.
        """
        with _silent_logs() as logs:
            service = _service(self.url)
            if service is None:
                raise ChannelError(f"{self.label}: apprise does not know its URL any more")
            headers = getattr(service, "headers", None)
            if isinstance(headers, dict):
                headers[ID_HEADER] = message.id
            try:
                taken = _notify(service, message)
            except Exception as fault:  # noqa: BLE001 - a plugin of apprise may raise anything, and its text may hold the URL
                raise ChannelError(f"{self.label}: {type(fault).__name__}") from None
        if not taken:
            why = without_secrets("; ".join(logs), self.url) or "it did not take the message"
            raise ChannelError(f"{self.label}: {why}")


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels that can be used, and a sentence for each URL that cannot."""

    usable: tuple[Channel, ...] = ()
    faults: tuple[str, ...] = ()


@cache
def read_channels(urls: str | None) -> Channels:
    """Read ``CINEMATCH_NOTIFY``: URLs separated by white space or commas. One that is wrong stops no other."""
    usable: list[Channel] = []
    faults: list[str] = []
    texts = [text for text in _SEPARATOR.split((urls or "").strip(" \t\r\n,")) if text]
    for number, url in enumerate(texts, 1):
        with _silent_logs():
            service = _service(url)
        if service is None:
            faults.append(f"CINEMATCH_NOTIFY: URL {number} of {len(texts)} is none that apprise knows")
        elif (key := channel_key(url)) not in {channel.key for channel in usable}:
            usable.append(Channel(key, f"{service.service_name} (URL {number})", url))
    return Channels(tuple(usable), tuple(faults))


def without_secrets(text: str, url: str) -> str:
    """Return ``text`` with every part of ``url`` replaced by ``…``, but for the name of a host."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    # Several services have a token in the place of the host, and none of these has a dot.
    token = "" if "." in host or host.startswith("localhost") else host
    found = {
        part
        for raw in (user, token, parts.path, parts.query, parts.fragment)
        for part in re.split(r"[/:?&=,@;#+\s]+", raw)
    }
    secrets = sorted({each for part in found for each in (part, unquote(part))}, key=len, reverse=True)
    for secret in secrets:
        if len(secret) >= _MIN_SECRET_LENGTH:
            text = text.replace(secret, "…")
    return text


def _service(url: str) -> Any:
    import apprise  # noqa: PLC0415 - half a second, which a platform without channels need not pay

    return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _notify(service: Any, message: Message) -> bool:
    import apprise  # noqa: PLC0415 - see _service

    service.socket_connect_timeout = service.socket_read_timeout = TIMEOUT_S
    to_one = apprise.Apprise()
    to_one.add(service)
    # Declared as plain text, it is escaped for services that send HTML or Markdown.
    return bool(to_one.notify(title=message.title, body=message.body, body_format=apprise.NotifyFormat.TEXT))


@cache
def channel_key(url: str) -> str:
    """Hash a URL slowly, because a password in it may be short and the tables are read by many."""
    return hashlib.scrypt(url.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=16).hex()


@contextmanager
def _silent_logs() -> Iterator[list[str]]:
    """Keep the libraries' logs, which may hold parts of a URL, out of all others; yield apprise's warnings."""
    warnings: list[str] = []

    class _Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warnings.append(record.getMessage())

    collector = _Collector(logging.WARNING)
    propagates, handlers = _APPRISE.propagate, _APPRISE.handlers
    _APPRISE.propagate, _APPRISE.handlers = False, [collector]
    disabled = [(logger, logger.disabled) for logger in _LOG_URLS]
    for logger in _LOG_URLS:
        logger.disabled = True
    try:
        yield warnings
    finally:
        _APPRISE.propagate, _APPRISE.handlers = propagates, handlers
        for logger, was_disabled in disabled:
            logger.disabled = was_disabled
