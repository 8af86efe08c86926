"""Requests that a page on another site can cause, and those of people and programs on this one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn

from cinematch_assets.webserver.guard import HTTP_OPTIONS, Guard
from cinematch_assets_tests.support.servers import wait_until

HERE = "127.0.0.1:3000"


async def passed_on(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """The application behind the guard: says that it was reached."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"own")]})
    await send({"type": "http.response.body", "body": b"reached"})


def ask(
    *headers: tuple[str, str],
    method: str = "GET",
    kind: str = "http",
    path: str = "/graphql",
    query: str = "",
    **how: Any,
) -> list[dict[str, Any]]:
    """Send one request through a guard, return what came back as ASGI messages."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    asyncio.run(Guard(passed_on, **how)(scope, receive, send))
    return sent


def status(*headers: tuple[str, str], **how: Any) -> int:
    return int(ask(*headers, **how)[0]["status"])


@pytest.mark.parametrize("host", [HERE, "localhost", "LOCALHOST:80", "[::1]:3000", "localhost.:3000"])
def test_this_machine_s_own_names_are_served(host: str) -> None:
    assert status(("host", host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#127.0.0.1",
        "",
        "[::1",
        "127.0.0.1:x",
        "127.0.0.1:99999",
        "127.0.0.1:-1",
        "127.1",
        "2130706433",
        "0.0.0.0",  # noqa: S104 - a name, not an address to listen on
        "[::ffff:127.0.0.1]",
        "[::1].evil.example",
        "[::1]evil.example",
        "localhost..",
        "localhost\t",
        "localhost#",
        "localhost/x",
        "localhost,evil.example",
        "localhost\\evil.example",
    ],
)
def test_other_host_names_are_refused(host: str) -> None:
    assert status(("host", host)) == 421


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    assert status() == 421
    assert status(("host", HERE), ("host", "evil.example")) == 421


def test_a_configured_host_is_served() -> None:
    assert status(("host", "data.example"), hosts=["data.example"]) == 200
    assert status(("host", "other.example"), hosts=["data.example"]) == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "header",
    [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:4000"),
        ("origin", "http://127.0.0.1:3000.evil.example"),
        ("origin", "file://"),
        ("origin", ""),
        ("origin", "http://[::1"),
        ("origin", f"http://{HERE}@evil.example"),
        ("origin", f"http://{HERE}, https://evil.example"),
        ("referer", "https://evil.example/"),
        ("referer", f"http://{HERE}.evil.example/"),
        ("referer", f"http://{HERE}@evil.example/"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ],
)
def test_another_origin_changes_nothing(method: str, header: tuple[str, str]) -> None:
    assert status(("host", HERE), header, method=method) == 403


def test_the_ui_itself_and_programs_may_change_things() -> None:
    assert status(("host", HERE), ("origin", f"http://{HERE}"), ("sec-fetch-site", "same-origin"), method="POST") == 200
    assert status(("host", HERE), method="POST") == 200
    behind_tls = (("host", "data.example"), ("origin", "https://data.example"))
    assert status(*behind_tls, method="POST", hosts=["data.example"]) == 200


def test_the_ui_s_own_pages_may_change_things_without_an_origin() -> None:
    assert status(("host", HERE), ("referer", f"http://{HERE}/runs"), method="POST") == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_of_another_site_changes_nothing(kind: str) -> None:
    assert status(("host", HERE), ("content-type", kind), ("origin", "https://evil.example"), method="POST") == 403
    assert status(("host", HERE), ("content-type", kind), ("sec-fetch-site", "cross-site"), method="POST") == 403


def test_a_second_origin_header_does_not_help() -> None:
    assert (
        status(("host", HERE), ("origin", f"http://{HERE}"), ("origin", "https://evil.example"), method="POST") == 403
    )


def test_a_websocket_opens_to_the_ui_s_own_origin_alone() -> None:
    def opened(*headers: tuple[str, str]) -> str:
        return str(ask(*headers, kind="websocket")[0]["type"])

    assert opened(("host", HERE), ("origin", f"http://{HERE}")) == "websocket.accept"
    for other in ("https://evil.example", "null", "", "http://[::1"):
        assert opened(("host", HERE), ("origin", other)) == "websocket.close"
    assert opened(("host", HERE), ("sec-fetch-site", "cross-site")) == "websocket.close"
    assert opened(("host", "evil.example"), ("origin", "http://evil.example")) == "websocket.close"


@pytest.mark.parametrize(
    "document",
    [
        "mutation { reloadWorkspace { __typename } }",
        "query a { version } mutation b { reloadWorkspace { __typename } }",
        'subscription { pipelineRunLogs(runId: "1") { __typename } }',
    ],
)
def test_get_runs_queries_only(document: str) -> None:
    assert status(("host", HERE), query=urlencode({"query": document})) == 405
    assert status(("host", HERE), query=urlencode([("query", document), ("query", "{ version }")])) == 405


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "query", ["query=%20mutation%7Ba%7D", "query=%23c%0Amutation{a}", "query=%EF%BB%BFmutation{a}"]
)
def test_no_safe_method_runs_a_mutation_however_it_is_written(method: str, query: str) -> None:
    assert status(("host", HERE), method=method, query=query) == 405


def test_a_query_that_nests_too_deep_is_left_to_dagster_s_own_refusal() -> None:
    assert status(("host", HERE), query="query=" + "{a" * 30_000) == 200


def test_get_answers_a_query() -> None:
    assert status(("host", HERE), query=urlencode({"query": "{ version }"})) == 200


def test_a_read_only_server_takes_no_reported_events() -> None:
    report = {"path": "/report_asset_check/movies", "method": "POST"}
    assert status(("host", HERE), **report, read_only=True) == 403
    assert status(("host", HERE), **report) == 200
    assert status(("host", HERE), method="POST", read_only=True) == 200  # Dagster's own read-only mode answers it


@pytest.mark.parametrize("host", [HERE, "evil.example"])
def test_no_answer_can_be_framed_or_sniffed(host: str) -> None:
    headers = [(name.decode(), value.decode()) for name, value in ask(("host", host))[0]["headers"]]
    assert ("x-frame-options", "DENY") in headers
    assert ("x-content-type-options", "nosniff") in headers
    assert ("content-security-policy", "frame-ancestors 'none'") in headers


def test_a_page_keeps_its_own_policy() -> None:
    headers = [(name.decode(), value.decode()) for name, value in ask(("host", HERE))[0]["headers"]]
    assert ("content-security-policy", "own") in headers


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, list[str]]]:
    """The guard in the server that Dagster's webserver uses: its port, and the requests that passed."""
    passed: list[str] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        passed.append(f"{scope['method']} {scope['path']} {body.decode('latin-1')}")
        await passed_on(scope, receive, send)

    how: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "log_level": "critical", "timeout_keep_alive": 1}
    config = uvicorn.Config(Guard(app), lifespan="off", **HTTP_OPTIONS, **how)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "a web server")
    yield server.servers[0].sockets[0].getsockname()[1], passed
    server.should_exit = True
    thread.join(30)


def send_raw(port: int, request: bytes) -> bytes:
    """Send bytes, and return all that the server says until it closes the connection, as it does with an idle one."""
    answer = b""
    with suppress(ConnectionError, TimeoutError), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request)
        while piece := client.recv(65_536):
            answer += piece
    return answer


EVIL = b"POST /graphql HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
HOSTS = {
    "an absolute address of this host under another Host": (b"GET http://localhost/x HTTP/1.1", b"Host: evil.example"),
    "X-Forwarded-Host": (b"GET /x HTTP/1.1", b"Host: evil.example\r\nX-Forwarded-Host: localhost"),
    "X-Host": (b"GET /x HTTP/1.1", b"Host: evil.example\r\nX-Host: localhost\r\nX-Original-Host: localhost"),
    "Forwarded": (b"GET /x HTTP/1.1", b"Host: evil.example\r\nForwarded: host=localhost"),
    "X-HTTP-Method-Override": (
        b"GET /x?query=mutation{a} HTTP/1.1",
        b"Host: localhost\r\nX-HTTP-Method-Override: POST",
    ),
    "no Host": (b"GET /x HTTP/1.1", b"X: y"),
    "HTTP/1.0 without a Host": (b"GET /x HTTP/1.0", b"X: y"),
    "two Hosts": (b"GET /x HTTP/1.1", b"Host: localhost\r\nHost: evil.example"),
    "a Host with a space before its colon": (b"GET /x HTTP/1.1", b"Host : localhost"),
    "a Host on a folded line": (b"GET /x HTTP/1.1", b"Host: evil.example\r\n localhost"),
    "a Host with a NUL": (b"GET /x HTTP/1.1", b"Host: localhost\0.evil.example"),
    "CONNECT": (b"CONNECT localhost:80 HTTP/1.1", b"Host: evil.example"),
}


@pytest.mark.parametrize("name", HOSTS)
def test_no_other_header_or_form_stands_for_the_host(served: tuple[int, list[str]], name: str) -> None:
    port, passed = served
    line, headers = HOSTS[name]
    before = len(passed)
    answer = send_raw(port, line + b"\r\n" + headers + b"\r\n\r\n")
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert len(passed) == before


FRAMINGS = {
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d",
    "a list of lengths": b"Content-Length: 0, %d",
    "a length and chunks": b"Content-Length: %d\r\nTransfer-Encoding: chunked",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: %d",
    "chunks that are none": b"Transfer-Encoding: xchunked\r\nContent-Length: %d",
    "chunks and identity": b"Transfer-Encoding: chunked, identity\r\nContent-Length: %d",
    "chunks after a control character": b"Transfer-Encoding: \x0bchunked\r\nContent-Length: %d",
    "chunks with a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: %d",
    "a length with a sign": b"Content-Length: +%d",
    "a length in hexadecimal": b"Content-Length: 0x%x",
    "a negative length": b"Content-Length: -%d",
    "a length of no number": b"Content-Length: %d;",
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""], ids=["chunked", "plain"])
def test_what_is_hidden_in_a_body_does_not_pass_for_another_host(
    served: tuple[int, list[str]], framing: str, end: bytes
) -> None:
    """A request in the body of another one: whether it is taken for one or not, the guard sees what it is."""
    port, passed = served
    inner = end + EVIL
    before = len(passed)
    headers = FRAMINGS[framing] % len(inner)
    send_raw(port, b"POST /outer HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n" + inner)
    assert all(request.startswith("POST /outer") for request in passed[before:])


def test_each_of_several_requests_on_a_connection_is_checked(served: tuple[int, list[str]]) -> None:
    port, passed = served
    before = len(passed)
    answer = send_raw(port, SMUGGLED + SMUGGLED + EVIL + SMUGGLED)
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b"HTTP/1.1 421")) == (2, 1)
    assert len(passed) == before + 2, "a refusal ends the connection"


def test_one_request_is_one_answer_where_length_and_chunks_disagree(served: tuple[int, list[str]]) -> None:
    port, passed = served
    before = len(passed)
    for framing in ("two lengths", "a length and chunks", "chunks and a length"):
        inner = b"0\r\n\r\n" + SMUGGLED
        headers = FRAMINGS[framing] % len(inner)
        answer = send_raw(port, b"POST /outer HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n" + inner)
        assert b" 400 " in answer.partition(b"\r\n")[0], framing
    assert not any("smuggled" in request for request in passed[before:])


def test_headers_without_end_are_cut_off(served: tuple[int, list[str]]) -> None:
    port, passed = served
    before = len(passed)
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
        with suppress(ConnectionError):
            while sent < 64 * 2**20:
                connection.sendall(b"X: " + b"y" * 65_000 + b"\r\n")
                sent += 65_005
    assert sent < 64 * 2**20
    assert len(passed) == before


def test_connections_that_say_nothing_hold_up_no_other(served: tuple[int, list[str]]) -> None:
    port, _ = served
    with ExitStack() as slow:
        for number in range(100):
            connection = slow.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: loc"[: number % 28])
        assert b" 200 " in send_raw(port, b"GET /fast HTTP/1.1\r\nHost: localhost\r\n\r\n")
