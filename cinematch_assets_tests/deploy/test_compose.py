"""The services of ``deploy/compose.yaml``: what they ask for, and what the proxy lets through."""

import os
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from cinematch_assets_tests.support.servers import free_port, running

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("setup", "code", "daemon", "webserver", "operators")
EXAMPLE = (DEPLOY / "compose/env.example").read_text(encoding="utf-8")
CHECKS = ROOT / "build/checks/bin"


def test_every_service_that_goes_on_is_restarted_and_has_a_health_check() -> None:
    assert {name for name, each in SERVICES.items() if each["restart"] != "unless-stopped"} == {"setup"}
    assert {name for name, each in SERVICES.items() if "healthcheck" not in each} == {"setup"}
    assert all(each["logging"]["options"]["max-size"] for each in SERVICES.values())


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_and_write_to_volumes_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - in the container
    assert "user" not in service, "the image's own, 10001"


def test_only_the_proxy_is_reached_from_outside_and_postgres_listens_on_no_network() -> None:
    assert [name for name, each in SERVICES.items() if "ports" in each] == ["proxy"]
    assert SERVICES["postgres"]["networks"] == []
    assert SERVICES["postgres"]["command"][-1] == "listen_addresses="


def test_the_open_webserver_is_read_only_and_the_other_one_is_behind_a_login() -> None:
    assert "--read-only" in SERVICES["webserver"]["command"]
    assert "--read-only" not in SERVICES["operators"]["command"]
    sites = re.findall(
        r"^https://[^\n]*\{\n(.*?)^\}", (DEPLOY / "compose/Caddyfile").read_text(), re.DOTALL | re.MULTILINE
    )
    assert [("operators:" in site, "basic_auth" in site) for site in sites] == [(False, False), (True, True)]


def test_nothing_starts_before_the_migrations_have_run() -> None:
    for name in ("code", "daemon", "webserver", "operators"):
        assert SERVICES[name]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}


def test_each_variable_is_in_the_example_and_each_of_the_example_is_used() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    shown = set(re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    assert used == shown
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    assert dict(re.findall(r"^# ([A-Z_]+)=(\S*)", EXAMPLE, re.MULTILINE)) == defaults


def test_what_is_mounted_from_the_repository_exists() -> None:
    mounts = [mount for each in SERVICES.values() for mount in each.get("volumes", ()) if mount.startswith("./")]
    assert len(mounts) == 2
    assert all((DEPLOY / mount.split(":")[0]).is_file() for mount in mounts)


def test_the_platform_s_variables_are_settings() -> None:
    settings = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = [name for name in SERVICES["code"]["environment"] if name.startswith("CINEMATCH_")]
    assert [name for name in given if f"{name}=" not in settings] == []


def test_people_and_mlflow_can_be_told() -> None:
    wanted = {"CINEMATCH_NOTIFY", "CINEMATCH_MLFLOW_NAME", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"}
    assert all(wanted <= SERVICES[name]["environment"].keys() for name in OURS)


def test_only_setup_signs_in_as_the_owner_of_the_tables() -> None:
    owner = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    signing_in = {
        name: {
            str(value).split("//")[1].split("@")[0].split(":")[0]
            for value in each.values()
            if "postgresql://" in str(value)
        }
        for name, each in ((name, SERVICES[name]["environment"]) for name in OURS)
    }
    without = {"ml_pipeline", "analyst", "dagster"}
    assert signing_in == {name: without for name in OURS if name != "setup"} | {"setup": {owner, "analyst", "dagster"}}


def test_the_page_shows_each_service() -> None:
    page = (ROOT / "docs/how-to/deploy-compose.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == SERVICES.keys()
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    drawn = set(re.findall(r"\b(\w+)[\[(]", diagram)) - {"people", "operators_", "files", "home"}
    assert drawn == SERVICES.keys() - {"setup"}
    to_code = {name for name, each in SERVICES.items() if "code" in each.get("depends_on", ())}
    arrows = {
        n.strip()
        for some in re.findall(r"^ *([\w &]+?)(?:\[[^]]*\])? --> code", diagram, re.MULTILINE)
        for n in some.split("&")
    }
    assert arrows - {"files"} == to_code


@pytest.mark.slow
def test_dockerfile_compose_and_caddyfile_have_nothing_to_complain_about() -> None:
    done = subprocess.run([DEPLOY / "lint"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def naming(name: str) -> Iterator[int]:
    """A server that says its name, on the yielded port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ask(url: str, login: str = "", body: bytes | None = None) -> tuple[int, str]:
    """Status and body of an answer; the certificate is not checked."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": "Basic " + b64encode(login.encode()).decode()} if login else {}
    headers |= {"Content-Type": "application/json"} if body else {}
    question = urllib.request.Request(url, body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(question, context=trusting, timeout=120) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, ""


@contextmanager
def proxied(folder: Path, webserver: int, operators: int) -> Iterator[tuple[str, str]]:
    """Caddy with the proxy's configuration before two ports; yields the doors of readers and of operators.

    The operator's password is ``secret``.
    """
    subprocess.run([DEPLOY / "lint"], capture_output=True, check=True)  # brings Caddy
    caddy = CHECKS / "caddy"
    ask_hash = [caddy, "hash-password", "--plaintext", "secret"]
    hashed = subprocess.run(ask_hash, capture_output=True, text=True, check=True).stdout.strip()
    readers_door, operators_door, health = free_port(), free_port(), free_port()
    environment = os.environ | {
        "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
        "CINEMATCH_UI_HOST": "localhost", "CADDY_TLS": "internal",
        "OPERATOR": "operator", "OPERATOR_PASSWORD_HASH": hashed,
        "CADDY_READERS_PORT": str(readers_door), "CADDY_OPERATORS_PORT": str(operators_door),
        "CADDY_HEALTH_PORT": str(health),
        "CADDY_READERS": f"127.0.0.1:{webserver}", "CADDY_OPERATORS": f"127.0.0.1:{operators}",
    }  # fmt: skip
    run = [caddy, "run", "--config", DEPLOY / "compose/Caddyfile", "--adapter", "caddyfile"]
    with running(run, folder / "caddy.log", lambda: is_open(health), deadline_s=120, env=environment):
        yield f"https://localhost:{readers_door}", f"https://localhost:{operators_door}"


@pytest.mark.slow
def test_the_proxy_asks_operators_for_a_login_and_readers_for_none(tmp_path: Path) -> None:
    with (
        naming("webserver") as webserver,
        naming("operators") as behind,
        proxied(tmp_path, webserver, behind) as (readers, operators),
    ):
        assert ask(readers) == (200, "webserver")
        assert ask(operators)[0] == 401
        assert ask(operators, "operator:wrong")[0] == 401
        assert ask(operators, "operator:secret") == (200, "operators")


def is_open(port: int) -> bool:
    try:
        return ask(f"http://127.0.0.1:{port}/")[0] == 200
    except OSError:
        return False
