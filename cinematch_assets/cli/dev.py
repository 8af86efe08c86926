"""``cinematch dev``: the database, migrations, then Dagster's UI and daemon, until it is stopped.

Here: starting, waiting, and the order of stopping, which is Dagster first and its database last. Not here: what a
killed ``dev`` leaves running (``stop``), Dagster's settings (``dagster.yaml``).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.error import URLError

import typer

from cinematch_assets.cli.output import out
from cinematch_assets.cli.processes import MARK, end_marked, hold
from cinematch_assets.errors import CinematchError
from cinematch_assets.private_files import make_private_folder
from cinematch_assets.project_files import project_file
from cinematch_assets.settings import Settings

START_DEADLINE_S = 180.0
_LOADED = """{
    workspaceOrError {
        ... on Workspace {
            locationEntries { locationOrLoadError { ... on PythonError { message errorChain { error { message } } } } }
        }
    }
}"""


class DevFailedError(CinematchError):
    """The UI cannot start, or it ended by itself."""


def run_dev(port: int) -> None:
    """Run Dagster's UI, daemon and sensors on 127.0.0.1 until Ctrl-C, SIGTERM or ``cinematch stop``.

    Raises:
        AlreadyRunningError: on the same home.
        DevFailedError: when the port is taken, the definitions do not load, or Dagster ends by itself.
    """
    settings, url = Settings.from_env(), f"http://127.0.0.1:{port}"
    with hold(settings.home, url), _stop_signals() as stopping:
        _require_free(port)
        if leftover := end_marked(settings.home):
            out.print(f"Stopped {leftover} processes that a killed `cinematch dev` had left running.")
        with out.status("Database and migrations ..."):
            environment = _prepare(settings)
        log = settings.home.resolve() / "logs" / "dagster.log"
        with _dagster(settings.home, environment, port, log) as dagster:
            with out.status("Dagster's UI and daemon ..."):
                _wait_until_ready(dagster, url, log, stopping)
            if not stopping.is_set():
                out.print(f"Dagster's UI is open at {url} (Ctrl-C ends it; its log: {log})")
            while not stopping.wait(1.0):
                _require_running(dagster, log)
            out.print("Stopping ...")
    out.print("Stopped.")


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, SIGTERM or a closed terminal sets; restore the former handlers afterwards.

    A shell's ``&`` makes children ignore SIGINT, and Dagster then ignores SIGTERM too; a handler prevents that.
    """
    stopping = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as taken:
            raise DevFailedError(
                f"port {port} of 127.0.0.1: {taken.strerror}; choose another one with --port"
            ) from None


def _prepare(settings: Settings) -> Mapping[str, str]:
    """Bring up both databases, the warehouse migrated, and return the environment that Dagster starts in."""
    from cinematch_assets.dagster_support.instance import fail_orphaned_runs, prepare_home, storage_url
    from cinematch_assets.warehouse.embedded import embedded_url
    from cinematch_assets.warehouse.migrations import migrate

    storage_url(settings)
    migrate(settings.warehouse_url or embedded_url(settings.home))
    if orphans := fail_orphaned_runs(settings):
        out.print(f"{orphans} runs ended with the cinematch dev that had started them; the sensors try again.")
    home = str(settings.home.resolve())
    return {
        "CINEMATCH_HOME": home,
        "DAGSTER_HOME": str(prepare_home(settings)),
        "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        MARK: home,
    }


@contextmanager
def _dagster(home: Path, environment: Mapping[str, str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dagster in a session of its own, so that Ctrl-C reaches this process alone and stopping has an order."""
    command = [str(Path(sys.executable).with_name("dg")), "dev", "--workspace", str(project_file("workspace.yaml"))]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    make_private_folder(log.parent)
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    with log.open("wb") as output:
        dagster = subprocess.Popen(
            [*command, *address], env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield dagster
    finally:
        end_marked(home)
        dagster.wait()


def _wait_until_ready(dagster: subprocess.Popen[bytes], url: str, log: Path, stopping: threading.Event) -> None:
    """Return when the UI has loaded the definitions, or the command was stopped."""
    for _ in range(int(START_DEADLINE_S / 0.25)):
        _require_running(dagster, log)
        states = _load_states(url)
        if errors := [state for state in states if state and "message" in state]:
            raise DevFailedError(f"{log}: the definitions do not load: {_cause(errors[0])}")
        if (states and None not in states) or stopping.wait(0.25):
            return
    raise DevFailedError(f"{log}: Dagster's UI was not ready within {START_DEADLINE_S:.0f} s")


def _load_states(url: str) -> list[dict[str, Any] | None]:
    """Return the state of each code location: None while it loads; an empty list while the UI does not answer."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/graphql", json.dumps({"query": _LOADED}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
            entries = json.load(response)["data"]["workspaceOrError"]["locationEntries"]
    except (URLError, ConnectionError, TimeoutError):
        return []
    return [entry["locationOrLoadError"] for entry in entries]


def _cause(error: dict[str, Any]) -> str:
    """Return the first line of the error that Dagster's own errors wrap."""
    innermost = [error, *(link["error"] for link in error["errorChain"])][-1]
    return str(innermost["message"]).strip().splitlines()[0]


def _require_running(dagster: subprocess.Popen[bytes], log: Path) -> None:
    if dagster.poll() is not None:
        raise DevFailedError(f"{log}: Dagster stopped unexpectedly with exit code {dagster.returncode}")


def dev(
    port: Annotated[int, typer.Option(help="The UI's port on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Run Dagster's UI, daemon and sensors: files dropped into the folder are loaded automatically."""
    run_dev(port)
