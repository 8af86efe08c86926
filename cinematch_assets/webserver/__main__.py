"""``python -m cinematch_assets.webserver``: Dagster's webserver with the guard and the reports.

Takes the options of ``dagster-webserver``. Here: putting the parts together. Not here: the guard (``webserver.guard``),
the reports (``webserver.reports``), the look at the daemon (``webserver.daemon_watch``), starting all (``cli.dev``).
"""

import sys
from functools import cache, partial
from typing import Any

import dagster as dg
from dagster_webserver import app, cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets.storage.base import Store
from cinematch_assets.storage.opening import open_store
from cinematch_assets.webserver.daemon_watch import start_daemon_watch
from cinematch_assets.webserver.guard import HTTP_OPTIONS, Guard
from cinematch_assets.webserver.reports import report_routes


class PlatformWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver with ``/reports`` before its own routes, behind the guard."""

    def build_middleware(self) -> list[Middleware]:
        """The guard first, so that nothing else sees a refused request."""
        settings = Settings.from_env()
        guard = Middleware(Guard, hosts=settings.ui_host_names, read_only="--read-only" in sys.argv)
        return [guard, *super().build_middleware()]

    def build_routes(self) -> list[BaseRoute]:
        """The reports' routes before Dagster's, whose last route takes every path."""
        return [*report_routes(_store), *super().build_routes()]  # type: ignore[no-untyped-call]


@cache
def _store() -> Store:
    return open_store(Settings.from_env().store_url)


def main() -> None:
    """Run ``dagster-webserver`` with our class in the place of Dagster's, on a server with a limit for headers."""
    start_daemon_watch(Platform.open, dg.DagsterInstance.get)
    app.DagsterWebserver = PlatformWebserver  # type: ignore[attr-defined]
    cli.uvicorn.run = partial(cli.uvicorn.run, **HTTP_OPTIONS)  # type: ignore[attr-defined]
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
