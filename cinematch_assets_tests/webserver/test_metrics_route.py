"""``/metrics`` answers in any state, and reads once for all who ask at a time."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette

from cinematch_assets.pipeline.monitoring.metric_families import Scrape
from cinematch_assets.webserver.metrics_route import metrics_routes

FOUND = Scrape(datetime(2026, 3, 1, tzinfo=UTC), facts=None, automation=None, has_dagster=True, duration_s=0.5)
Answer = tuple[int, dict[str, str], str]


def get_all(
    read: Callable[[], Scrape], number: int = 1, *, method: str = "GET", accept: str = "", deadline_s: float = 120.0
) -> list[Answer]:
    """The answers to so many requests at a time."""
    application = Starlette(routes=metrics_routes(read, deadline_s=deadline_s))

    async def ask() -> Answer:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": "/metrics", "query_string": b""}
        await application(scope | {"headers": [(b"accept", accept.encode())]}, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]).decode()

    async def together() -> list[Answer]:
        return list(await asyncio.gather(*(ask() for _ in range(number))))

    return asyncio.run(together())


def test_it_is_prometheus_text_that_no_cache_keeps() -> None:
    ((status, headers, body),) = get_all(lambda: FOUND)
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert headers["cache-control"] == "no-store"
    assert "cinematch_up 0.0\n" in body
    assert "cinematch_dagster_up 1.0\n" in body


def test_a_scraper_that_knows_openmetrics_gets_it() -> None:
    ((_, headers, body),) = get_all(lambda: FOUND, accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_nothing_can_be_sent_to_it() -> None:
    assert get_all(lambda: FOUND, method="POST")[0][0] == 405


def test_a_database_that_does_not_answer_is_down_before_the_scraper_gives_up() -> None:
    released = threading.Event()

    def read() -> Scrape:
        released.wait()
        return FOUND

    try:
        ((status, _, body),) = get_all(read, deadline_s=0.2)
    finally:
        released.set()
    assert status == 200
    assert "cinematch_up 0.0\n" in body
    assert "\ncinematch_dagster_up " not in body, "it is not known"


def test_who_asks_meanwhile_gets_the_same_reading_and_later_ones_a_new_one() -> None:
    begun = []

    def read() -> Scrape:
        begun.append(threading.get_ident())
        threading.Event().wait(0.5)  # the others ask in the same turn of the loop
        return FOUND

    assert [status for status, _, _ in get_all(read, 5)] == [200] * 5
    assert len(begun) == 1
    get_all(read)
    assert len(begun) == 2


def test_an_error_that_no_one_foresaw_is_no_traceback_for_the_scraper() -> None:
    def read() -> Scrape:
        raise KeyError("a bug")

    with pytest.raises(KeyError):  # Starlette raises it for the server's log, after its answer
        get_all(read)
