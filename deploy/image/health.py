"""The image's health check: ask the service that this container runs, whichever it is.

Here: one question, answered by the exit code. Not here: how often it is asked (``deploy/Dockerfile``). A container
whose command is none of the three, such as a run worker, is healthy as long as it runs.
"""

import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path

TIMEOUT_S = 15
PORTS = {"webserver": 3000, "grpc": 4000}


def main() -> int:
    """Return 0 when the service answers."""
    return {"webserver": check_webserver, "grpc": check_grpc, "daemon": check_daemon, "none": lambda: 0}[
        service(commands())
    ]()


def service(running: Iterable[list[str]]) -> str:
    """What a container with these processes is: the code location's server, the webserver, the daemon, or none."""
    for command in running:
        words = " ".join(command)
        if "cinematch_assets.webserver" in words:
            return "webserver"
        if "api grpc" in words or "code-server start" in words:
            return "grpc"
        if "dagster-daemon run" in words or "dagster._daemon run" in words:
            return "daemon"
    return "none"


def commands() -> list[list[str]]:
    """The command lines of all processes; there may be an init before the service."""
    found = []
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            words = (process / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue  # it ended in between
        found.append([word for word in words if word])
    return found


def check_webserver() -> int:
    """Ask for its versions, as a proxy would."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORTS['webserver']}/server_info", timeout=TIMEOUT_S) as answer:
        return 0 if answer.status == 200 else 1


def check_grpc() -> int:
    """Ask by the protocol that load balancers use; Dagster's own command would import Dagster for it each time."""
    import grpc  # noqa: PLC0415  the other services need not
    from grpc_health.v1.health_pb2 import HealthCheckRequest  # noqa: PLC0415
    from grpc_health.v1.health_pb2_grpc import HealthStub  # noqa: PLC0415

    with grpc.insecure_channel(f"127.0.0.1:{PORTS['grpc']}") as channel:
        answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=TIMEOUT_S)
    return 0 if answer.status == 1 else 1


def check_daemon() -> int:
    """Look at the heartbeats in Dagster's storage."""
    return subprocess.run(["dagster-daemon", "liveness-check"], check=False, timeout=4 * TIMEOUT_S).returncode


if __name__ == "__main__":
    sys.exit(main())
