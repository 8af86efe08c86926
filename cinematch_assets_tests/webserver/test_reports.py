"""What ``/reports`` serves from a store, and what it keeps to itself."""

import asyncio
from pathlib import Path
from typing import Any

import boto3
import pytest
from starlette.applications import Starlette

from cinematch_assets.storage.base import Store, StoreError
from cinematch_assets.storage.opening import open_store
from cinematch_assets.webserver.reports import report_routes


def get(store: Store, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask an application with the reports' routes; return status, headers and body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(Starlette(routes=report_routes(lambda: store))(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return int(sent[0]["status"]), headers, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(open_store(str(tmp_path / "store")))


def fill(store: Store) -> Store:
    """Put a report into it, and what is none."""
    store.put_bytes("reports/batch_w1/drift.html", b"<p>drift</p>")
    store.put_bytes("reports/notes.txt", b"text")
    store.put_bytes("models/secret.html", b"a model")
    return store


def test_a_report_is_served_in_a_sandbox(store: Store) -> None:
    status, headers, body = get(store, "/reports/batch_w1/drift.html")
    assert (status, body) == (200, b"<p>drift</p>")
    assert headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")


def test_from_a_bucket_reports_are_served_likewise_and_nothing_else(aws: str, tmp_path: Path) -> None:
    s3 = boto3.client("s3", endpoint_url=aws)
    s3.create_bucket(Bucket="ours", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    store = fill(open_store("s3://ours/platform", scratch=tmp_path))
    status, headers, body = get(store, "/reports/batch_w1/drift.html")
    assert (status, body) == (200, b"<p>drift</p>")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert [get(store, path)[0] for path in ("/reports/none.html", "/reports/../models/secret.html")] == [404, 404]


@pytest.mark.parametrize(
    "path",
    [
        "/reports/none.html",
        "/reports/",
        "/reports/../models/secret.html",
        "/reports/x/../../models/secret.html",
        "/reports//models/secret.html",
        "/reports/..\\models\\secret.html",
        "/reports/.hidden.html",
        "/reports/notes.txt",
    ],
)
def test_nothing_else_is(store: Store, path: str) -> None:
    assert get(store, path)[0] == 404


def test_reports_cannot_be_written(store: Store) -> None:
    assert get(store, "/reports/batch_w1/drift.html", "POST")[0] == 405


class Broken:
    """A store that cannot be reached."""

    def read_bytes(self, key: str) -> bytes:
        raise StoreError(f"s3://user:secret@bucket/{key}: connection refused")


def test_a_store_that_cannot_be_read_says_so_without_its_address() -> None:
    status, _, body = get(Broken(), "/reports/batch_w1/drift.html")  # type: ignore[arg-type]
    assert status == 503
    assert b"secret" not in body
