"""Reports out of the store, at ``/reports`` of the UI: the same origin, so links in Dagster's metadata are relative.

Here: reading an object and the headers it is served with. Not here: making reports (``drift.report``), where the
store is (``storage``).
"""

import mimetypes
from collections.abc import Callable
from pathlib import PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from cinematch_assets.storage.base import MissingObjectError, Store, StoreError

PREFIX = "reports"
_TYPES = {".html", ".svg", ".png", ".json"}
_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)
"""A report may run its own scripts and reach nothing: the GraphQL API on the same origin has no login."""


def report_routes(open_store: Callable[[], Store]) -> list[BaseRoute]:
    """Routes for ``/reports/<name>``; the store is opened at the first request."""

    async def serve(request: Request) -> Response:
        name = request.path_params["name"]
        if not _is_report(name):
            return PlainTextResponse("no such report\n", 404)
        try:
            content = await run_in_threadpool(lambda: open_store().read_bytes(f"{PREFIX}/{name}"))
        except MissingObjectError:
            return PlainTextResponse("no such report\n", 404)
        except StoreError:
            return PlainTextResponse("the store cannot be read at the moment: see cinematch doctor\n", 503)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        return Response(content, media_type=kind, headers=headers)

    return [Mount(f"/{PREFIX}", routes=[Route("/{name:path}", serve, methods=["GET"])])]


def _is_report(name: str) -> bool:
    """Whether the path stays below ``reports/``, names no hidden part, and has a suffix of a page or picture."""
    path = PurePosixPath(name)
    plain = all(part not in {"..", "."} and not part.startswith(".") for part in path.parts)
    return bool(path.parts) and plain and "\\" not in name and not path.is_absolute() and path.suffix.lower() in _TYPES
