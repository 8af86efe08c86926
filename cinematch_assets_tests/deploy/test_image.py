"""The image, built and run as a server runs it: read-only, without capabilities, by a user without rights.

Here: what is in it, its services beside a real Postgres, the demo. Not here: what the services are told
(``test_compose``). It takes minutes, root, buildah and podman, but no Docker and no running service of theirs.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from cinematch_assets_tests.deploy.test_compose import SERVICES
from cinematch_assets_tests.support.servers import postgres15, short_folder, wait_until

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/cinematch-test"
DIGEST = "cinematch.context"
MAX_BYTES = 1_200_000_000
STOP_S = 10
PODMAN = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc")
RUN = (
    "run", "--no-healthcheck", "--read-only", "--cap-drop", "all",
    "--security-opt", "no-new-privileges", "--tmpfs", "/tmp",  # noqa: S108 - in the container
    "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096",
)  # fmt: skip
ALONE = (*RUN, "--rm", "--network", "none", "--volume", "/var/lib/cinematch")
CONTEXT = (
    "deploy/Dockerfile", "deploy/image", "deploy/dagster", "deploy/aws/dagster.yaml", "requirements/runtime.txt",
    "requirements/mlflow.txt", "requirements/aws.txt", "pyproject.toml", "README.md", "LICENSE", "dagster.yaml",
    "workspace.yaml", "cinematch_assets", "sql",
)  # fmt: skip
"""What enters the build."""
pytestmark = [pytest.mark.timeout(3600), pytest.mark.waits]


def podman(*arguments: str, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PODMAN, *arguments], capture_output=True, text=True, check=False, timeout=timeout_s)


def context_digest() -> str:
    """One hash over the names and contents of what enters the build."""
    files = [
        file for name in CONTEXT for file in ((ROOT / name).rglob("*") if (ROOT / name).is_dir() else [ROOT / name])
    ]
    found = hashlib.sha256()
    for file in sorted(each for each in files if each.is_file() and "__pycache__" not in each.parts):
        if file.suffix not in {".nbc", ".nbi"}:
            found.update(str(file.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def inspected() -> dict[str, Any]:
    """What podman knows of the image."""
    found: dict[str, Any] = json.loads(podman("image", "inspect", IMAGE).stdout)[0]
    return found


@pytest.fixture(scope="module", autouse=True)
def _image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the image, unless there is one of the same files; workers wait for each other."""
    if request.config.getoption("markexpr") == "not slow":
        pytest.skip("image: it takes minutes to build and run: make test-all")
    if missing := [each for each in ("buildah", "podman", "runc") if shutil.which(each) is None]:
        pytest.skip(f"image: no {', '.join(missing)} here (Debian's packages: buildah podman runc mmdebstrap)")
    if os.geteuid() != 0:
        pytest.skip("image: buildah needs root here")
    with (tmp_path_factory.getbasetemp().parent / "image.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        digest = context_digest()
        exists = podman("image", "exists", IMAGE).returncode == 0
        if exists and (inspected()["Labels"] or {}).get(DIGEST) == digest:
            return
        former = inspected()["Id"] if exists else None
        built = subprocess.run(
            [ROOT / "deploy/image/build", IMAGE, "--label", f"{DIGEST}={digest}"],
            capture_output=True, text=True, check=False, timeout=3000,
        )  # fmt: skip
        assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
        if former:
            podman("image", "rm", former)


def inside(*command: str) -> str:
    done = podman(*ALONE, IMAGE, *command)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@contextmanager
def started(*options: str, command: list[str]) -> Iterator[str]:
    name = f"cm-{uuid4().hex[:8]}"
    done = podman(*RUN, *options, "--detach", "--name", name, IMAGE, *command)
    assert done.returncode == 0, done.stderr
    try:
        yield name
    finally:
        podman("rm", "--force", "--volumes", "--time", "5", name)


def wait_until_healthy(name: str) -> None:
    """Run the image's own health check in the container until it passes."""
    _, *check = inspected()["Healthcheck"]["Test"]

    def is_healthy() -> bool:
        assert podman("inspect", "--format", "{{.State.Running}}", name).stdout.strip() == "true", logs_of(name)
        return podman("exec", name, *check).returncode == 0

    try:
        wait_until(is_healthy, name, deadline_s=600)
    except TimeoutError:
        pytest.fail(logs_of(name))


def logs_of(name: str) -> str:
    done = podman("logs", name)
    return done.stdout[-3000:] + done.stderr[-3000:]


def test_its_size() -> None:
    assert inspected()["Size"] < MAX_BYTES


def test_its_user_has_no_rights_and_can_write_to_its_volume_alone() -> None:
    assert inside("id", "-u").strip() == "10001"
    writable = (
        "for at in / /etc /opt/cinematch /usr/bin /var/lib/cinematch /tmp; do test -w $at && echo $at; done; true"
    )
    assert inside("sh", "-c", writable).split() == ["/var/lib/cinematch", "/tmp"]  # noqa: S108 - in the container


def test_it_has_no_compiler_and_no_secret() -> None:
    assert inside("sh", "-c", "command -v gcc cc ld strip pip || echo none").strip() == "none"
    names = [each.partition("=")[0] for each in inspected()["Config"]["Env"]]
    assert [name for name in names if any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "KEY"))] == []
    find = "find / -xdev ( -name .env -o -name token.json -o -name .git -o -name id_rsa -o -name pip.conf ) -print"
    assert podman(*ALONE, "--user", "0", IMAGE, *find.split()).stdout == ""


def test_its_modules_are_byte_compiled() -> None:
    """In a read-only file system each start would compile them again."""
    ask = (
        "import cinematch_assets, pathlib as p; at = p.Path(cinematch_assets.__file__).parent; "
        "print([str(f) for f in at.rglob('*.py') if not list((f.parent / '__pycache__').glob(f.stem + '.*.pyc'))])"
    )
    assert inside("python3", "-c", ask).strip() == "[]"


def test_the_command_answers() -> None:
    assert "Usage: cinematch" in inside("cinematch", "--help")


def test_every_service_is_healthy_and_stops_in_time() -> None:
    """Each of ``compose.yaml`` in a container of its own, beside a Postgres that they reach by its socket."""
    with postgres15(lambda _: ["-c", "listen_addresses="]) as server, short_folder() as home, ExitStack() as stack:
        os.chown(home, 10001, 10001)
        with psycopg.connect(server.url, autocommit=True) as connection:
            for name in ("cinematch", "dagster"):
                connection.execute(f"CREATE DATABASE {name}")
        address = conninfo_to_dict(server.url)
        url = f"postgresql://postgres@/{{}}?host=/var/run/postgresql&port={address['port']}"
        common = [
            "--volume", f"{address['host']}:/var/run/postgresql",
            "--env", f"CINEMATCH_DATABASE_URL={url.format('cinematch')}",
            "--env", f"DAGSTER_POSTGRES_URL={url.format('dagster')}",
            "--env", "CODE_LOCATION_HOST=127.0.0.1", "--volume", f"{home}:/var/lib/cinematch",
            "--env", "DAGSTER_HOME=/var/lib/cinematch/dagster",
        ]  # fmt: skip
        alone = [*common, "--network", "none"]
        setup = podman(*RUN, *alone, "--rm", IMAGE, *in_container("setup"))
        assert setup.returncode == 0, setup.stdout + setup.stderr
        code = stack.enter_context(started(*alone, command=in_container("code")))
        wait_until_healthy(code)
        beside = [*common, "--network", f"container:{code}"]
        others = [stack.enter_context(started(*beside, command=in_container(each))) for each in ("daemon", "webserver")]
        for name in others:
            wait_until_healthy(name)
        kept = podman("exec", code, "cinematch", "backup", "/var/lib/cinematch/backup", "--check")
        assert "restored into a scratch server" in kept.stdout, kept.stderr
        for name in (*others, code):
            begin = time.monotonic()
            assert podman("stop", "--time", str(STOP_S), name).returncode == 0
            code_of = podman("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip()
            assert code_of == "0", f"{name} after {time.monotonic() - begin:.1f} s: {logs_of(name)}"


def in_container(service: str) -> list[str]:
    return [str(word).replace("$$", "$") for word in SERVICES[service]["command"]]


def test_the_whole_loop_runs_inside() -> None:
    print(inside("cinematch", "demo", "--data", "synthetic:20000"))  # noqa: T201 - shown by pytest -s
