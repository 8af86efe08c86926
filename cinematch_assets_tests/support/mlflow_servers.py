"""A real MLflow server on loopback, from an environment of its own: its requirements do not go with the platform's.

Here: making the environment in ``build/mlflow``, once, and starting and stopping the server. Not here: what is written
to it.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cinematch_assets_tests.support.servers import free_port

ENVIRONMENT = Path(__file__).resolve().parents[2] / "build" / "mlflow"
MADE_WITHIN_S = 900
STARTED_WITHIN_S = 300


class NoMlflowError(Exception):
    """The environment cannot be made here; the message says why."""


def python() -> Path:
    """The interpreter of the environment, which is made when it is not there.

    Raises:
        NoMlflowError: it cannot be made.
    """
    found = ENVIRONMENT / "bin" / "python"
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with (ENVIRONMENT.parent / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _has_mlflow(found):
            return found
        venv.create(ENVIRONMENT, with_pip=True)
        packages = [f"mlflow=={version('mlflow-skinny')}", "pyarrow<26"]
        pip = [found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        try:
            done = subprocess.run(pip, capture_output=True, text=True, timeout=MADE_WITHIN_S, check=False)
        except subprocess.TimeoutExpired:
            raise NoMlflowError(f"pip installed no MLflow server within {MADE_WITHIN_S} s") from None
        if done.returncode != 0:
            raise NoMlflowError(f"pip installs no MLflow server: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return found


def _has_mlflow(interpreter: Path) -> bool:
    if not interpreter.exists():
        return False
    looked = [interpreter, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('mlflow.server') is None)"]
    return subprocess.run(looked, capture_output=True, check=False).returncode == 0


@dataclass
class MlflowTestServer:
    """A server that keeps what it holds in ``folder`` while it is stopped."""

    interpreter: Path
    folder: Path
    port: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [self.interpreter, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        quiet = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW_"))}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=kept | quiet, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + STARTED_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise AssertionError((self.folder / "log").read_text()[-3_000:])
            time.sleep(0.2)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=10) as answer:  # noqa: S310 - 127.0.0.1
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowTestServer]:
    """Start a server for as long as the context lasts.

    Raises:
        NoMlflowError: see ``python``.
    """
    server = MlflowTestServer(python(), folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def read_held(url: str, name: str) -> dict[str, Any]:
    """What a server holds, by the REST API alone: runs by name, versions in their order, the alias."""
    import requests

    base = f"{url}/api/2.0/mlflow"

    def get(method: str, path: str, **values: Any) -> dict[str, Any]:
        how = {"params": values} if method == "GET" else {"json": values}
        answer = requests.request(method, f"{base}/{path}", timeout=120, **how)  # type: ignore[arg-type]
        answer.raise_for_status()
        return dict(answer.json())

    experiment = get("GET", "experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"]
    runs = get("POST", "runs/search", experiment_ids=[experiment], max_results=1_000).get("runs", [])
    versions = get("GET", "model-versions/search", filter=f"name = '{name}'", max_results=1_000)
    model = get("GET", "registered-models/get", name=name)["registered_model"]
    by_id = {run["info"]["run_id"]: run["info"]["run_name"] for run in runs}
    numbered = sorted(versions.get("model_versions", []), key=lambda each: int(each["version"]))
    aliases = {alias["alias"]: alias["version"] for alias in model.get("aliases", [])}
    of_number = {each["version"]: by_id.get(each["run_id"]) for each in numbered}
    return {
        "runs": sorted(by_id.values()),
        "versions": [by_id.get(each["run_id"]) for each in numbered],
        "champion": of_number.get(aliases.get("champion")),
        "run": {
            run["info"]["run_name"]: {
                "status": run["info"]["status"],
                "user": run["info"].get("user_id", ""),
                **{
                    part: {each["key"]: each["value"] for each in run["data"].get(part, [])}
                    for part in ("params", "metrics", "tags")
                },
            }
            for run in runs
        },
        "model_versions": {by_id.get(each["run_id"]): each for each in numbered},
    }


if __name__ == "__main__":
    sys.stdout.write(f"{python()}\n")
