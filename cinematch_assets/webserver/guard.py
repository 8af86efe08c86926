"""ASGI middleware that decides which requests reach Dagster's UI.

Dagster's webserver has no login. A page on another site can make a browser send requests to 127.0.0.1, so each request
is checked by what a browser adds and a script cannot change: Host (DNS rebinding), Origin and Sec-Fetch-Site
(cross-site requests), the method.

Here: accepting, refusing, response headers. Not here: who the user is, which a proxy in front decides
(docs/operating.md), the reports (``webserver.reports``).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HTTP_OPTIONS: dict[str, Any] = {"http": "h11", "h11_max_incomplete_event_size": 65_536}
"""uvicorn's parser with a limit for headers; its other one (httptools) keeps what comes, however long."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_SAME_SITE = {"same-origin", "none"}
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[a-zA-Z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?")
_MAX_PORT = 65_535
_POLICY_VIOLATION = 1008
"""WebSocket close code (RFC 6455, 7.4.1); before the handshake is accepted, servers turn it into HTTP 403."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not passed on."""

    status: int
    reason: str


class Guard:
    """Refuse requests that another site caused, and unknown host names; add headers against framing and sniffing.

    Args:
        app: the application behind it.
        hosts: names under which the UI may be reached, besides loopback; without ports.
        read_only: also refuse Dagster's REST endpoints that report events, which its own read-only mode passes.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), *, read_only: bool = False) -> None:
        self._app = app
        self._hosts = frozenset(name.lower() for name in (*LOOPBACK, *hosts))
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with the reason of its refusal."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refusal.reason[:120]})
        else:
            answer = PlainTextResponse(refusal.reason + "\n", refusal.status, {"Connection": "close"})
            await answer(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            return Refusal(400, "a body has a length or comes in chunks: proxies disagree on where one with both ends")
        host = _single(headers, "host")
        if host is None or _name(host) not in self._hosts:
            return Refusal(421, "unknown host name: add it to CINEMATCH_UI_HOSTS to allow it")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if changes and not _same_origin(headers, host):
            return Refusal(403, "cross-origin request refused")
        if self._read_only and changes and scope["path"].rpartition("/report_asset_")[1]:
            return Refusal(403, "this server is read-only")
        if not changes and _has_mutation(scope):
            return Refusal(405, f"{scope['method']} cannot change anything: send mutations by POST")
        return None


def _single(headers: Headers, name: str) -> str | None:
    """Return the value of a header that comes exactly once."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _name(host: str) -> str:
    """Return the host name of ``name:port`` or ``[v6]:port``, in lower case; empty when it is neither."""
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        return ""
    return (found["v6"] or found["name"].removesuffix(".")).lower()


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether the page that sent the request is of this server; clients that are no browsers send none of this."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in _SAME_SITE:
        return False
    # The scheme is not compared: a proxy in front may have ended TLS.
    ours = {f"{scheme}://{host}".lower() for scheme in ("http", "https")}
    origins = headers.getlist("origin")
    if origins:
        return len(origins) == 1 and origins[0].lower() in ours
    pages = headers.getlist("referer")
    return all(any(f"{page}/".lower().startswith(f"{our}/") for our in ours) for page in pages)


def _has_mutation(scope: Scope) -> bool:
    """Whether a GET carries a GraphQL document with anything but queries; Dagster refuses what cannot be parsed."""
    query = parse_qs(scope["query_string"].decode("latin-1")).get("query", [])
    for document in query:
        try:
            nodes = parse(document).definitions
        except (GraphQLError, RecursionError):
            continue
        if any(isinstance(n, OperationDefinitionNode) and n.operation != OperationType.QUERY for n in nodes):
            return True
    return False


def _with_headers(send: Send) -> Send:
    """Add the security headers to a response; a page's own Content-Security-Policy stays beside ours."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Frame-Options"] = "DENY"
            headers["X-Content-Type-Options"] = "nosniff"
            headers.append("Content-Security-Policy", "frame-ancestors 'none'")
            if "referrer-policy" not in headers:
                headers["Referrer-Policy"] = "same-origin"
        await send(message)

    return send_with_headers
