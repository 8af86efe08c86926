"""The services of ``deploy/compose.yaml`` as plain processes: dropped files become recommendations.

Their commands and variables are read from the file; paths and ports of the container are this machine's here, and
Postgres is version 15. Not here: what the file asks Docker for (``test_compose``), the image (``test_image``).
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.settings import Settings
from cinematch_assets_tests.deploy.test_compose import DEPLOY, SERVICES, ask, proxied
from cinematch_assets_tests.deploy.test_entrypoint import ENTRYPOINT
from cinematch_assets_tests.support.platforms import drop_history, rows_of
from cinematch_assets_tests.support.servers import free_port, postgres15, short_folder, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(6000), pytest.mark.waits]
ROOT = Path(__file__).resolve().parents[2]
GOING_ON = ("code", "daemon", "webserver", "operators")
CHAMPION = "SELECT version FROM ops.champion WHERE version = ALL (SELECT model_version FROM recommendations)"
LOADED = "SELECT count(*) FROM ratings WHERE batch_id = 'batch_w1'"


def interpolated(value: object, given: dict[str, str]) -> str:
    """Compose's ``${NAME:-default}`` and ``${NAME:?reason}``, with the values of ``deploy/.env``."""

    def replace(match: re.Match[str]) -> str:
        default = match["default"]
        return given[match["name"]] if default is None else given.get(match["name"], default)

    return re.sub(r"\$\{(?P<name>[A-Z_]+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}", replace, str(value))


@dataclass(frozen=True)
class Machine:
    """A server with a home, where the services' commands run."""

    home: Path
    socket: str
    ports: dict[str, int]

    def environment(self, service: str) -> dict[str, str]:
        """The service's variables; of the container's paths, those of this machine."""
        given = {
            "POSTGRES_PASSWORD": "secret", "CINEMATCH_DRIVE": str(self.home / "drive"),
            "CINEMATCH_STORE": str(self.home / "store"),
        }  # fmt: skip
        paths = {"/var/lib/cinematch": str(self.home), "/var/run/postgresql": self.socket}
        here = {
            name: self._replaced(interpolated(value, given), paths)
            for name, value in SERVICES[service]["environment"].items()
        }
        return os.environ | here | {
            "CINEMATCH_HOME": str(self.home), "CODE_LOCATION_HOST": "127.0.0.1", "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # Weeks pass in seconds here, and drift alone is to cause the second model.
            "CINEMATCH_RETRAIN_COOLDOWN_S": "0", "CINEMATCH_RETRAIN_UNSEEN_SHARE": "100",
        }  # fmt: skip

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """Start the service's command as the image does."""
        words = {"0.0.0.0": "127.0.0.1", "4000": str(self.ports["code"]), "3000": str(self.ports.get(service, 0))}  # noqa: S104
        paths = {
            "$$": "$", "/etc/cinematch/workspace.yaml": str(self.home / "workspace.yaml"),
            "/etc/cinematch/server/dagster.yaml": str(ROOT / "dagster.yaml"),
        }  # fmt: skip
        command = [words.get(word, self._replaced(word, paths)) for word in SERVICES[service]["command"]]
        with (self.home / f"{service}.log").open("wb") as log:
            return subprocess.Popen(
                [*ENTRYPOINT, *command], env=self.environment(service), cwd=self.home, stdout=log, stderr=log
            )

    def log_of(self, service: str) -> str:
        return (self.home / f"{service}.log").read_text(errors="replace")[-4000:]

    def execute(self, *command: str) -> str:
        """What ``docker compose exec code`` does."""
        done = subprocess.run(
            command, env=self.environment("code"), cwd=self.home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    @staticmethod
    def _replaced(text: str, changes: dict[str, str]) -> str:
        for before, after in changes.items():
            text = text.replace(before, after)
        return text


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Postgres with the service's options, as its image leaves it on an empty volume: a superuser, two databases."""
    settings = SERVICES["postgres"]["environment"]
    with short_folder() as home, postgres15(lambda _: SERVICES["postgres"]["command"][1:]) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {settings['POSTGRES_USER']} SUPERUSER LOGIN PASSWORD 'secret'")
            connection.execute(f"CREATE DATABASE {settings['POSTGRES_DB']} OWNER {settings['POSTGRES_USER']}")
        address = conninfo_to_dict(server.url)
        first = server.url_of(settings["POSTGRES_DB"]).replace("postgres@", f"{settings['POSTGRES_USER']}@")
        with psycopg.connect(first, autocommit=True) as connection:
            for each in (DEPLOY / "compose/dagster.sql").read_text().split(";"):
                connection.execute(each.encode())
        ports = {service: free_port() for service in ("code", "webserver", "operators")}
        workspace = (DEPLOY / "dagster/workspace.yaml").read_text().replace("port: 4000", f"port: {ports['code']}")
        (home / "workspace.yaml").write_text(workspace)
        (home / "drive").mkdir()
        yield Machine(home, f"{address['host']}&port={address['port']}", ports)


@contextmanager
def up(machine: Machine) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """``setup`` to its end, then the others; afterwards they are told to end, and do."""
    assert machine.start("setup").wait(300) == 0, machine.log_of("setup")
    services: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in GOING_ON:
            services[name] = machine.start(name)
        yield services
        for process in services.values():
            process.send_signal(signal.SIGTERM)
        for name, process in services.items():
            assert process.wait(200) == 0, f"{name}: {machine.log_of(name)}"
    finally:
        for process in services.values():
            process.kill()
            process.wait()


def wait_for(is_done: Callable[[], object], services: dict[str, subprocess.Popen[bytes]], machine: Machine) -> None:
    """Wait; a service that ends meanwhile fails the test with its log."""

    def done_or_ended() -> bool:
        for name, process in services.items():
            assert process.poll() is None, f"{name} ended: {machine.log_of(name)}"
        return bool(is_done())

    try:
        wait_until(done_or_ended, "the loop", deadline_s=2400)
    except TimeoutError:
        pytest.fail("\n".join(machine.log_of(name) for name in services))


def may_launch(door: str, login: str = "") -> bool:
    """Whether this UI lets its users launch runs."""
    body = json.dumps({"query": "{ permissions { permission value } }"}).encode()
    status, said = ask(f"{door}/graphql", login, body)
    assert status == 200
    return {each["permission"]: each["value"] for each in json.loads(said)["data"]["permissions"]}[
        "launch_pipeline_execution"
    ]


def test_files_dropped_into_the_folder_become_recommendations(machine: Machine) -> None:
    with ExitStack() as stack:
        services = stack.enter_context(up(machine))
        platform = Platform.open(Settings.from_env(machine.environment("code")))
        drop_history(platform)
        wait_for(lambda: rows_of(platform, CHAMPION), services, machine)
        (first,) = rows_of(platform, CHAMPION)

        batch = simulate_next(platform, rows=1_100, drift=0.7)
        wait_for(lambda: rows_of(platform, CHAMPION) not in ([], [first]), services, machine)
        wait_for(lambda: rows_of(platform, LOADED) == [(batch.rows,)], services, machine)
        assert rows_of(platform, "SELECT status FROM ingestion_metadata") == [("completed",)]
        assert rows_of(platform, "SELECT session_user") == [("ml_pipeline",)]

        machine.execute("dagster-daemon", "liveness-check")
        doors = stack.enter_context(proxied(machine.home, machine.ports["webserver"], machine.ports["operators"]))
        readers, operators = doors
        assert not may_launch(readers)
        assert ask(f"{operators}/graphql")[0] == 401
        assert may_launch(operators, "operator:secret")

        assert "batch_w1" in machine.execute("cinematch", "sql", "SELECT batch_id FROM ingestion_metadata")
        assert "equal rows" in machine.execute("cinematch", "backup", str(machine.home / "backup"), "--check")
        screen = machine.execute("cinematch", "status")
        print(screen)  # noqa: T201 - shown by pytest -s
        assert "batch_w1" in screen
