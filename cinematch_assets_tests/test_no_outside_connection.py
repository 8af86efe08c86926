"""The platform connects to what is configured and to nothing else: a day of it where there is no network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cinematch_assets_tests.support.connection_log import read_connections, record_into
from cinematch_assets_tests.support.servers import short_folder

pytestmark = pytest.mark.faults("network")

WITHOUT_A_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""What follows runs in a network namespace of its own, which holds loopback and no route."""


def can_be_cut_off() -> bool:
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*WITHOUT_A_NETWORK, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(5400)
def test_a_day_without_a_network_needs_none_and_asks_for_none(tmp_path: Path, figure: Callable[[str], None]) -> None:
    if not can_be_cut_off():
        pytest.skip("a network namespace takes root, unshare and ip")
    variables = record_into(tmp_path)
    with short_folder() as folder:
        done = subprocess.run(
            [
                *WITHOUT_A_NETWORK,
                sys.executable,
                "-m",
                "cinematch_assets_tests.support.offline_day",
                str(folder / "home"),
            ],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "the day is over" in done.stdout
    found = read_connections(tmp_path)
    assert found.outside == []
    figure(f"{len(found.started)} Python processes, connected to {', '.join(sorted(found.hosts))}")
    for part in (
        "cinematch_assets.cli.main demo",
        "cinematch_assets.webserver",
        "daemon run",
        "code-server start",
        "simulate",
    ):
        assert any(part in line for line in found.started), f"{part} was not watched: {found.started}"


def test_a_connection_to_another_machine_is_noticed(tmp_path: Path) -> None:
    """The audit events alone: nothing is connected to."""
    code = """if True:
        import sys
        for host in ("203.0.113.1", "127.0.0.1", "::1"):
            sys.audit("socket.connect", None, (host, 443))
        sys.audit("socket.connect", None, "/a/socket")
        sys.audit("socket.getaddrinfo", b"telemetry.example", 443, 0, 0, 0)
        sys.audit("socket.getaddrinfo", "localhost", 80, 0, 0, 0)
    """
    environment = os.environ | record_into(tmp_path)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    found = read_connections(tmp_path)
    assert found.outside == ["203.0.113.1", "telemetry.example"]
    assert len(found.started) == 1
