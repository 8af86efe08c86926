"""The image's ENTRYPOINT, as plain processes: what a service inherits, and that it ends when it is told to.

Not here: the image itself (``test_image``).
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cinematch_assets_tests.support.servers import free_port, short_folder, wait_until

ROOT = Path(__file__).resolve().parents[2]
(FOUND,) = re.findall(r"^ENTRYPOINT (\[.*\])$", (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
ENTRYPOINT: list[str] = json.loads(FOUND)
STOP_S = 10
IN_THE_BACKGROUND = ["env", "--ignore-signal=INT"]
"""What a shell's ``&`` does to its command."""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the image is Linux's; env --default-signal is GNU's")


def test_a_command_does_not_inherit_an_ignored_interrupt() -> None:
    ask = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"]
    with_and_without = [
        subprocess.run([*IN_THE_BACKGROUND, *before, *ask], capture_output=True, text=True, check=True).stdout
        for before in ((), ENTRYPOINT)
    ]
    assert with_and_without == ["True\n", "False\n"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_code_location_ends_on_sigterm_though_it_was_started_in_the_background() -> None:
    port = str(free_port())
    dagster = str(Path(sys.executable).with_name("dagster"))
    serve = [
        *IN_THE_BACKGROUND, *ENTRYPOINT, dagster, "api", "grpc", "--host", "127.0.0.1", "--port", port,
        "--module-name", "cinematch_assets.definitions", "--location-name", "cinematch_assets",
    ]  # fmt: skip
    health = [dagster, "api", "grpc-health-check", "--host", "127.0.0.1", "--port", port]
    with short_folder() as home, (home / "log").open("wb") as log:
        (home / "dagster.yaml").touch()
        environment = os.environ | {"DAGSTER_HOME": str(home), "CINEMATCH_HOME": str(home), "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(serve, env=environment, cwd=home, stdout=log, stderr=log) as process:
            try:
                wait_until(
                    lambda: process.poll() is not None or subprocess.run(health, capture_output=True).returncode == 0,  # noqa: PLW1510
                    "the code location",
                    deadline_s=200,
                )
                process.send_signal(signal.SIGTERM)
                assert process.wait(STOP_S) == 0, (home / "log").read_text()[-3000:]
            finally:
                process.kill()
