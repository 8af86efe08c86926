"""The state of the platform for Prometheus, at ``/metrics`` of the UI; behind the guard like everything there.

Here: the route, one reading at a time, and the answer when that takes too long. Not here: what is read
(``dagster_support.scrape``), names of metrics (``pipeline.monitoring.metric_families``).
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cinematch_assets.pipeline.monitoring.metric_families import Scrape, exposition

PATH = "/metrics"
DEADLINE_S = 8.0
"""Prometheus gives up after 10 s; before that it is told that the warehouse does not answer."""
_LOG = logging.getLogger(__name__)


def metrics_routes(read: Callable[[], Scrape], *, deadline_s: float = DEADLINE_S) -> list[BaseRoute]:
    """The route for ``/metrics``.

    Args:
        read: reads the state; it may block.
        deadline_s: after it the answer is that nothing could be read.
    """
    reading = SharedReading(read)

    async def serve(request: Request) -> Response:
        started = time.monotonic()
        future = asyncio.wrap_future(reading.join())
        try:
            scrape = await asyncio.wait_for(asyncio.shield(future), deadline_s)
        except TimeoutError:
            _LOG.warning("/metrics: the state was not read within %.0f s", deadline_s)
            now = datetime.now(UTC)
            scrape = Scrape(now, facts=None, automation=None, has_dagster=None, duration_s=time.monotonic() - started)
        text, media_type = exposition(scrape, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    return [Route(PATH, serve, methods=["GET"])]


class SharedReading:
    """One reading at a time: who asks while it is under way gets the same, so that a slow database is asked once."""

    def __init__(self, read: Callable[[], Scrape]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._under_way: Future[Scrape] | None = None

    def join(self) -> "Future[Scrape]":
        """Return the result of the reading that is under way, or of a new one."""
        with self._lock:
            if self._under_way is None or self._under_way.done():
                self._under_way = Future()
                # Not of a pool: Python waits for its threads at the end, and one may wait for a lock.
                threading.Thread(target=self._run, args=(self._under_way,), name="metrics", daemon=True).start()
            return self._under_way

    def _run(self, future: "Future[Scrape]") -> None:
        try:
            future.set_result(self._read())
        except BaseException as fault:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(fault)
