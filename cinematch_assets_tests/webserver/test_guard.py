"""Requests that a page on another site can cause, and those of people and programs on this one."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

from cinematch_assets.webserver.guard import Guard

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
