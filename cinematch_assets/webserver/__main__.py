"""``python -m cinematch_assets.webserver``: Dagster's webserver with the guard, the reports and the metrics.

Takes the options of ``dagster-webserver``. Here: putting the parts together. Not here: the guard (``webserver.guard``),
the reports (``webserver.reports``), the metrics (``webserver.metrics_route``), the look at the daemon
(``webserver.daemon_watch``), starting all (``cli.dev``).
"""

import sys
from functools import cache, partial
from typing import Any

import dagster as dg
from dagster_webserver import app, cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from cinematch_assets.dagster_support.scrape import read_scrape
from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.pipeline.monitoring.metric_families import Scrape
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets.storage.base import Store
from cinematch_assets.storage.opening import open_store
from cinematch_assets.webserver.daemon_watch import start_daemon_watch
from cinematch_assets.webserver.guard import HTTP_OPTIONS, Guard
from cinematch_assets.webserver.metrics_route import metrics_routes
from cinematch_assets.webserver.reports import report_routes


class PlatformWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver with ``/reports`` and ``/metrics`` before its own routes, behind the guard."""

    def build_middleware(self) -> list[Middleware]:
        """The guard first, so that nothing else sees a refused request."""
        settings = Settings.from_env()
        guard = Middleware(Guard, hosts=settings.ui_host_names, read_only="--read-only" in sys.argv)
        return [guard, *super().build_middleware()]

    def build_routes(self) -> list[BaseRoute]:
        """Our routes before Dagster's, whose last route takes every path."""
        ours = [*report_routes(_store), *metrics_routes(_read_scrape)]
        return [*ours, *super().build_routes()]  # type: ignore[no-untyped-call]


@cache
def _store() -> Store:
    return open_store(Settings.from_env().store_url)


@cache
def _instance() -> dg.DagsterInstance:
    """One for all scrapes: to open it reads files and starts Dagster's storage."""
    return dg.DagsterInstance.get()


def _read_scrape() -> Scrape:
    return read_scrape(Platform.open, lambda: read_automation(_instance()))


def main() -> None:
    """Run ``dagster-webserver`` with our class in the place of Dagster's, on a server with a limit for headers."""
    start_daemon_watch(Platform.open, dg.DagsterInstance.get)
    app.DagsterWebserver = PlatformWebserver  # type: ignore[attr-defined]
    cli.uvicorn.run = partial(cli.uvicorn.run, **HTTP_OPTIONS)  # type: ignore[attr-defined]
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
