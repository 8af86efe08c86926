"""A network between a client and a server on this machine that fails on demand.

Here: a proxy that hands HTTP requests on and spoils some of them. Not here: what the client is expected to make of it.

========== =====================================================================
``slow``   503 SlowDown, as S3 answers when it is asked too much
``reset``  the connection is reset before an answer
``hang``   no answer until the client gives up
``cut``    the answer's headers and half of its body, then the connection ends
``alter``  the whole answer with one bit of its body changed
========== =====================================================================
"""

import http.client
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FAULTS = ("slow", "reset", "hang", "cut", "alter")
SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
HANG_S = 4.0
"""A client that is to give up waits less."""
_LINGER_AND_RESET = struct.pack("ii", 1, 0)
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "expect"})


@dataclass(slots=True)
class FaultyNetwork:
    """The proxy's address, what it does to which request, and what it has done."""

    url: str
    behind: str
    fault_of: Callable[[str, str], str | None] = lambda _method, _path: None
    """The fault for a request of this method and path, asked once for each; None hands it on."""
    seen: Counter[str] = field(default_factory=Counter)
    """Faults so far, by name, and requests by method."""
    headers: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers, in lower case, of each request."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def in_turn(self, *faults: str | None, method: str | None = None) -> None:
        """Spoil the next requests (of this method) so, one fault each, and hand on what comes after them."""
        left = list(faults)

        def next_fault(asked: str, _path: str) -> str | None:
            return left.pop(0) if left and method in (None, asked) else None

        self.fault_of = next_fault

    def always(self, fault: str | None) -> None:
        """Spoil every request so; None ends that."""
        self.fault_of = lambda _method, _path: fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        network = self.server.network
        with network.lock:
            fault = network.fault_of(self.command, self.path)
            network.seen.update([self.command, *([fault] if fault else [])])
            network.headers.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        if fault == "slow":
            self._answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
        elif fault == "hang":
            self.server.ended.wait(HANG_S)
            self.close_connection = True
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_AND_RESET)
            self.close_connection = True
        else:
            self._hand_on(body, fault)

    def _hand_on(self, body: bytes, fault: str | None) -> None:
        behind = urlsplit(self.server.network.behind)
        connection = http.client.HTTPConnection(behind.hostname or "", behind.port)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
        if self.command == "HEAD":
            headers["Content-Length"] = answer.getheader("Content-Length") or "0"
        if fault == "alter" and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        self._answer(answer.status, headers, content, upto=len(content) // 2 if fault == "cut" else None)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, upto: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:upto])
        if upto is not None:
            self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Keep the tests' output quiet."""

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 - the base class's names


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.network = FaultyNetwork(f"http://127.0.0.1:{self.server_address[1]}", behind)
        self.ended = threading.Event()

    def handle_error(self, *_arguments: Any) -> None:
        """A client that gave up is what these tests are about."""


@contextmanager
def faulty_network(behind: str) -> Iterator[FaultyNetwork]:
    """Run a proxy before the server at ``behind`` until the block ends."""
    with _Server(behind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.network
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
