"""The image, run as a server runs it: read-only, without capabilities, by a user without rights.

Building it takes minutes and needs root; where there is no image the tests are skipped.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

IMAGE = "localhost/cinematch:latest"
MAX_BYTES = 1_250_000_000
PODMAN = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc")
RUN = (
    "run", "--no-healthcheck", "--network", "host", "--read-only", "--cap-drop", "all", "--tmpfs", "/tmp",  # noqa: S108 - in the container
    "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096",
)  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def podman(*arguments: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PODMAN, *arguments], capture_output=True, text=True, check=False, timeout=timeout_s)


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    if shutil.which("podman") is None:
        pytest.skip("image: no podman here (Debian's packages: podman buildah runc mmdebstrap)")
    if podman("image", "exists", IMAGE).returncode != 0:
        pytest.skip(
            f"image: {IMAGE} is not built (deploy/image/base, then buildah bud -f deploy/Dockerfile -t cinematch .)"
        )


def inside(*command: str) -> str:
    done = podman(*RUN, "--rm", "--volume", "/var/lib/cinematch", IMAGE, *command)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@contextmanager
def started(*command: str) -> Iterator[str]:
    name = f"cm-{uuid4().hex[:8]}"
    assert podman(*RUN, "--detach", "--name", name, IMAGE, *command).returncode == 0
    try:
        yield name
    finally:
        podman("rm", "--force", "--time", "5", name)


def test_its_size() -> None:
    assert int(podman("image", "inspect", "--format", "{{.Size}}", IMAGE).stdout) < MAX_BYTES


def test_it_runs_as_a_user_without_rights_and_has_no_compiler() -> None:
    assert inside("id", "-u").strip() == "10001"
    assert inside("sh", "-c", "command -v gcc cc ld strip || echo none").strip() == "none"


def test_the_command_answers() -> None:
    assert "Usage: cinematch" in inside("cinematch", "--help")


def test_the_code_location_is_healthy_and_stops_in_time() -> None:
    port = "4000"
    serve = ("dagster", "api", "grpc", "--host", "127.0.0.1", "--port", port)
    with started(*serve, "--module-name", "cinematch_assets.definitions") as name:
        deadline = time.monotonic() + 180
        while podman("exec", name, "python3", "/opt/cinematch/health.py").returncode != 0:
            assert time.monotonic() < deadline, podman("logs", name).stderr[-3000:]
            time.sleep(2)
        begin = time.monotonic()
        assert podman("stop", "--time", "10", name).returncode == 0
        assert time.monotonic() - begin < 10, "ended by SIGTERM, not killed"


def test_the_whole_loop_runs_inside() -> None:
    assert inside("cinematch", "demo", "--data", "synthetic:20000")
