"""Receivers of notifications on loopback: a web server and a mail server that keep what they were sent.

Here: starting them on free ports. Not here: what is sent to them.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class WebSink:
    """A webhook; ``url`` is for CINEMATCH_NOTIFY. With another ``status`` it refuses what it is sent."""

    port: int = 0
    status: int = 200
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook/s3cr3tpath"

    @property
    def ids(self) -> list[str]:
        """The messages that it took, by their id."""
        return [headers["X-Cinematch-Message"] for headers, _ in self.requests]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The id and the text of each message that it took."""
        texts = [f"{body['title']}\n{body['message']}" for _, body in self.requests]
        return list(zip(self.ids, texts, strict=True))

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.messages)


@contextmanager
def web_sink() -> Iterator[WebSink]:
    sink = WebSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if sink.status == 200:
                sink.requests.append((dict(self.headers), body))
            self.send_response(sink.status)
            self.end_headers()
            self.wfile.write(b"ok")  # Slack's word for it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sink.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield sink
        server.shutdown()


@dataclass
class MailSink:
    """A mail server."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=platform@cinematch.example&to=people@cinematch.example"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 taken"


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink = MailSink()
    controller = Controller(sink, hostname="127.0.0.1", port=_free_port())
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
