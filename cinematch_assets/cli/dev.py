"""``cinematch dev``: the database, migrations, then Dagster's code server, UI and daemon, until it is stopped.

Each of them is started again when it ends by itself, the embedded database too. Here: which services there are,
waiting until they are ready, and the order of stopping, which is Dagster first and its database last. Not here:
restarts (``cli.supervisor``), the guard in front of the UI (``webserver``), what a killed ``dev`` leaves running
(``cli.stop``), Dagster's settings (``dagster.yaml``).
"""

import json
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.error import URLError

import typer

from cinematch_assets.cli.output import out
from cinematch_assets.cli.processes import MARK, end_marked, hold, running_pids
from cinematch_assets.cli.supervisor import MAX_GAP_S, Service, Supervisor
from cinematch_assets.errors import CinematchError
from cinematch_assets.plurals import count
from cinematch_assets.private_files import make_private_folder
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.connection import WarehouseUnavailableError

START_DEADLINE_S = 180.0
DATABASE_CHECK_S = 5.0
"""Seconds between two looks at whether the embedded database runs."""
CODE_CHECK_S = 15.0
"""Seconds between two looks at whether the UI reaches the definitions."""
RUNS_CHECK_S = 60.0
"""Seconds between two looks at whether the processes of runs are alive."""
LOCATION = "cinematch_assets"
"""The code location's name, the one of workspace.yaml; Dagster keeps sensors' states under it."""
_LOADED = """{
    workspaceOrError {
        ... on Workspace {
            locationEntries { locationOrLoadError { ... on PythonError {
                className message errorChain { error { className message } }
            } } }
        }
    }
}"""
_RELOAD = f"""mutation {{
    reloadRepositoryLocation(repositoryLocationName: "{LOCATION}") {{ __typename }}
}}"""
_UNREACHABLE = "DagsterUserCodeUnreachableError"


class DevFailedError(CinematchError):
    """The UI cannot start, or it ended by itself."""


def run_dev(port: int, *, read_only: bool = False) -> None:
    """Run Dagster's UI, daemon and sensors on 127.0.0.1 until Ctrl-C, SIGTERM or ``cinematch stop``.

    With ``read_only`` nothing can be started or changed from the UI; sensors go on.

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
        log = _fresh_log(settings.home)
        with _supervised(settings, _Place(port, environment, log, read_only)) as services:
            with out.status("Dagster's code server, UI and daemon ..."):
                ready = services.start(stopping)
            if ready:
                out.print(f"Dagster's UI is open at {url} (Ctrl-C ends it; its log: {log})")
            while not stopping.wait(1.0):
                services.tend()
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
        their = "had started it" if orphans == 1 else "had started them"
        out.print(f"{count(orphans, 'run')} ended with the cinematch dev that {their}; the sensors try again.")
    home = str(settings.home.resolve())
    return {
        "CINEMATCH_HOME": home,
        "DAGSTER_HOME": str(prepare_home(settings)),
        "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        MARK: home,
    }


def _fresh_log(home: Path) -> Path:
    """Return the log's path, the one of the run before renamed."""
    log = home.resolve() / "logs" / "dagster.log"
    make_private_folder(log.parent)
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    return log


@dataclass(frozen=True, slots=True)
class _Place:
    """What each of Dagster's services is started with."""

    port: int
    environment: Mapping[str, str]
    log: Path
    read_only: bool


@dataclass(slots=True)
class _Services:
    """Dagster's three services and the embedded database, kept running."""

    settings: Settings
    place: _Place
    sockets: Path
    supervisor: Supervisor
    _database: tuple[int, str] | None = None
    _database_due: float = 0.0
    _database_gap_s: float = DATABASE_CHECK_S
    _code_due: float = 0.0
    _runs_due: float = field(default_factory=lambda: time.monotonic() + RUNS_CHECK_S)

    def start(self, stopping: threading.Event) -> bool:
        """Start the services in order; return True when the UI has loaded the definitions, False when stopped.

        Raises:
            DevFailedError: A service ends before that, the definitions do not load, or it takes too long.
        """
        socket_path = self.sockets / "code"
        workspace = self.sockets / "workspace.yaml"
        workspace.write_text(json.dumps(_workspace(socket_path)))  # JSON is YAML
        self.supervisor.start(self._service("code server", *_code_server(socket_path)))
        if not self._wait(lambda: _listens(socket_path), stopping):
            return False
        address = ("--host", "127.0.0.1", "--port", str(self.place.port))
        options = (*address, "--read-only") if self.place.read_only else address
        webserver = ("-m", "cinematch_assets.webserver", "--workspace", str(workspace), *options)
        self.supervisor.start(self._service("UI", *webserver))
        self.supervisor.start(self._service("daemon", "-m", "dagster._daemon", "run", "--workspace", str(workspace)))
        return self._wait(self._is_loaded, stopping)

    def tend(self) -> None:
        """Start again what has ended: the embedded database first, since the others need it."""
        if self.settings.uses_embedded_server and time.monotonic() >= self._database_due:
            self._tend_database()
        self.supervisor.tend()
        if time.monotonic() >= self._code_due:
            self._tend_code()
            self._code_due = time.monotonic() + CODE_CHECK_S
        if time.monotonic() >= self._runs_due:
            self._tend_runs()
            self._runs_due = time.monotonic() + RUNS_CHECK_S

    def _tend_runs(self) -> None:
        """End runs that were killed together with the server that had started them."""
        from cinematch_assets.dagster_support.instance import fail_killed_runs

        try:
            killed = fail_killed_runs(self.settings, running_pids)
        except CinematchError as fault:
            out.print(f"{fault}. Whether runs are alive is looked at again in {RUNS_CHECK_S:.0f} s.")
        else:
            if killed:
                out.print(f"{count(killed, 'run')} ended with a killed process; the sensors try again.")

    def _tend_code(self) -> None:
        """Have the definitions loaded again when the process that served them has ended.

        The UI does not ask again by itself, and the code server starts its child again only when it is told to.
        """
        url = f"http://127.0.0.1:{self.place.port}"
        if any(_is_unreachable(state) for state in _load_states(url) if state):
            out.print("The process that serves the definitions had ended; they are loaded again.")
            _ask(url, _RELOAD)

    def _tend_database(self) -> None:
        from cinematch_assets.warehouse.embedded import embedded_server

        try:
            found = embedded_server(self.settings.home)
        except WarehouseUnavailableError as failure:
            out.print(f"{failure}. It is tried again in {self._database_gap_s:.0f} s.")
            gap_s, self._database_gap_s = self._database_gap_s, min(2 * self._database_gap_s, MAX_GAP_S)
        else:
            if self._database and found != self._database:
                out.print("The embedded database had ended; it runs again.")
                if found[1] != self._database[1]:  # a long home has its socket in a new folder after each start
                    self.supervisor.restart()
            self._database, gap_s, self._database_gap_s = found, DATABASE_CHECK_S, DATABASE_CHECK_S
        self._database_due = time.monotonic() + gap_s

    def _service(self, name: str, *arguments: str) -> Service:
        return Service(name, (sys.executable, *arguments), self.place.environment, self.place.log)

    def _wait(self, condition: Callable[[], bool], stopping: threading.Event) -> bool:
        """Return True once the condition holds, False when the command is stopped before."""
        end = time.monotonic() + START_DEADLINE_S
        while not condition():
            if ended := self.supervisor.ended():
                name, code = ended
                raise DevFailedError(f"{self.place.log}: Dagster's {name} stopped unexpectedly with exit code {code}")
            if time.monotonic() > end:
                raise DevFailedError(f"{self.place.log}: Dagster was not ready within {START_DEADLINE_S:.0f} s")
            if stopping.wait(0.25):
                return False
        return True

    def _is_loaded(self) -> bool:
        states = _load_states(f"http://127.0.0.1:{self.place.port}")
        if errors := [state for state in states if state and "message" in state]:
            raise DevFailedError(f"{self.place.log}: the definitions do not load: {_cause(errors[0])}")
        return bool(states) and None not in states


@contextmanager
def _supervised(settings: Settings, place: _Place) -> Iterator[_Services]:
    """Yield the services, not started; afterwards end them, the newest first, and their children."""

    def report_exit(service: Service, code: int, gap_s: float) -> None:
        out.print(f"Dagster's {service.name} ended with exit code {code}; it is started again in {gap_s:.0f} s.")

    supervisor = Supervisor(report_exit)
    # The socket has no login, so its folder is readable by this user alone; its path must stay under 108 bytes.
    with tempfile.TemporaryDirectory(prefix="cinematch-") as sockets:
        try:
            yield _Services(settings, place, Path(sockets), supervisor)
        finally:
            supervisor.stop()
            end_marked(settings.home)


def _workspace(socket_path: Path) -> dict[str, Any]:
    server = {"socket": str(socket_path), "location_name": LOCATION}
    return {"load_from": [{"grpc_server": server}]}


def _code_server(socket_path: Path) -> tuple[str, ...]:
    """Arguments of a server that loads the definitions, again on "Reload", and starts the runs."""
    where = ("--socket", str(socket_path), "--location-name", LOCATION, "-m", "cinematch_assets.definitions")
    return ("-m", "dagster", "code-server", "start", *where, "--use-python-environment-entry-point")


def _listens(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
    return True


def _load_states(url: str) -> list[dict[str, Any] | None]:
    """Return the state of each code location: None while it loads; an empty list while the UI does not answer."""
    answer = _ask(url, _LOADED)
    entries = answer["workspaceOrError"].get("locationEntries", []) if answer else []
    return [entry["locationOrLoadError"] for entry in entries]


def _ask(url: str, document: str) -> dict[str, Any] | None:
    """Return the data of a GraphQL answer; None while the UI does not answer."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/graphql", json.dumps({"query": document}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            data: dict[str, Any] | None = json.load(response)["data"]
    except (URLError, ConnectionError, TimeoutError):
        return None
    return data


def _is_unreachable(error: dict[str, Any]) -> bool:
    """Whether the code server did not answer, unlike code that does not load."""
    chain = [error, *(link["error"] for link in error.get("errorChain", []))]
    return any(link.get("className") == _UNREACHABLE for link in chain)


def _cause(error: dict[str, Any]) -> str:
    """Return the first line of the error that Dagster's own errors wrap."""
    innermost = [error, *(link["error"] for link in error["errorChain"])][-1]
    return str(innermost["message"]).strip().splitlines()[0]


def dev(
    port: Annotated[int, typer.Option(help="The UI's port on 127.0.0.1.", min=1, max=65535)] = 3000,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing can be changed from the UI.")] = False,
) -> None:
    """Run Dagster's UI, daemon and sensors: files dropped into the folder are loaded automatically.

    Example: cinematch dev --port 3001
    """
    run_dev(port, read_only=read_only)
