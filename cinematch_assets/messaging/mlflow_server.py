"""The MLflow server that ``MLFLOW_TRACKING_URI`` names, as a channel that takes model versions.

Here: reading the address, asking whether the server answers, having it written to by a process of its own. Not here:
what is written (``pipeline.export_registry``), how (``messaging.mlflow_writer``), when
(``warehouse.notification_messages``). The address may hold a password: neither it nor a part of it but the host is ever
in a message, a log, a table or an error.
"""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from cinematch_assets.errors import CinematchError
from cinematch_assets.messaging.channels import ChannelError, channel_key, without_secrets
from cinematch_assets.messaging.mlflow_writer import Registry, Written
from cinematch_assets.urls import hide_user_info

LABEL = "MLflow"
EXTRA_MISSING = "MLFLOW_TRACKING_URI is set and the extra mlflow is missing: pip install 'cinematch-assets[mlflow]'"
REQUEST_TIMEOUT_S = 5
BUDGET_S = 20.0
"""Time for a round's writing; what is left then waits for the next round."""
LIMIT_S = 50.0
"""Time for the whole process, whose start takes seconds: Dagster ends a sensor's evaluation after 60 s."""
_VARIABLES = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REQUEST_TIMEOUT_S),
    # A request whose answer is lost may have been carried out: the outbox tries again, after looking what is there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
"""For the process; what an operator set of the first two holds."""
_MAX_FAULT_LENGTH = 300
_NO_ANSWER = (
    ("Connection refused", "no server listens there"),
    ("timed out", "it does not answer in time"),
    ("NameResolutionError", "its host has no address"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate cannot be verified"),
)


class TrackingUriError(CinematchError):
    """``MLFLOW_TRACKING_URI`` names no server that can be written to; it is none of training's concern."""


@dataclass(frozen=True, slots=True)
class MlflowServer:
    """An MLflow server, and the name of the experiment and the registered model there."""

    uri: str = field(repr=False)
    name: str

    @classmethod
    def of(cls, uri: str | None, name: str) -> "MlflowServer | None":
        """Return the server of these settings, None where there is to be none.

        Raises:
            TrackingUriError: it is no address of a server.
        """
        text = (uri or "").strip().rstrip("/")
        if not text:
            return None
        try:
            parts = urlsplit(text)
            is_server = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            is_server = False
        if not is_server:
            raise TrackingUriError("MLFLOW_TRACKING_URI is not http://host or https://host: no version goes to MLflow")
        return cls(text, name)

    @property
    def key(self) -> str:
        """By which it is known in tables."""
        return channel_key(f"{self.uri} {self.name}")

    @property
    def place(self) -> str:
        """Its host, and its port where the address has one, for people."""
        parts = urlsplit(self.uri)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return host if parts.port is None else f"{host}:{parts.port}"

    def ask(self) -> None:
        """Ask the server for the experiment, as the writer does first; whether there is one does not matter.

        Raises:
            ChannelError: it does not answer, or it refuses the credentials.
        """
        user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        try:
            answer = requests.get(
                f"{self.uri}/api/2.0/mlflow/experiments/get-by-name",
                params={"experiment_name": self.name},
                auth=(user, password) if user and password else None,
                headers={"Authorization": f"Bearer {token}"} if token and not user else None,
                timeout=_timeout_s(),
            )
        except requests.RequestException as fault:
            raise ChannelError(self._sentence(str(fault))) from None
        if answer.status_code in {401, 403}:
            raise ChannelError(
                f"{self._where}: it refuses the credentials ({answer.status_code}): set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        if answer.status_code not in {200, 404} or "json" not in answer.headers.get("Content-Type", ""):
            raise ChannelError(f"{self._where}: it answers as no MLflow server does ({answer.status_code})")

    def write(self, registry: Registry, budget_s: float = BUDGET_S, limit_s: float = LIMIT_S) -> Written:
        """Have the server hold ``registry``; another process does it, so that one that hangs is ended.

        Raises:
            ChannelError: it does not answer, it refused something, or the extra is missing; what was written stays.
        """
        if not has_extra():
            raise ChannelError(EXTRA_MISSING)
        self.ask()  # the writer's start takes seconds of a processor, and needs no server
        command = [sys.executable, "-m", "cinematch_assets.messaging.mlflow_writer", str(budget_s)]
        # The address goes over in the environment: every user of the machine may read the arguments.
        environment = {**_VARIABLES, **os.environ, "MLFLOW_TRACKING_URI": self.uri}
        environment |= {name: _VARIABLES[name] for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")}
        try:
            ended = subprocess.run(
                command,
                input=registry.to_json(),
                env=environment,
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ChannelError(f"{self._where}: it does not answer in time ({limit_s:g} s)") from None
        if ended.returncode != 0:
            last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
            raise ChannelError(self._sentence(f"the writer failed: {last}"))
        answer = json.loads(ended.stdout)
        if "fault" in answer:
            raise ChannelError(self._sentence(answer["fault"]))
        written = Written(**answer)
        if written.faults and not written.left:
            raise ChannelError(self._sentence(written.faults[0]))
        return written

    @property
    def _where(self) -> str:
        return f"{LABEL} at {self.place}"

    def _sentence(self, fault: str) -> str:
        for sign, meaning in _NO_ANSWER:
            if sign in fault:
                return f"{self._where}: {meaning}"
        parts = urlsplit(self.uri)
        secret = f"{parts.scheme}://{parts.netloc.rpartition('@')[0]}@localhost{parts.path}?{parts.query}"
        shown = without_secrets(hide_user_info(" ".join(fault.split())), secret)
        return f"{self._where}: {shown[:_MAX_FAULT_LENGTH]}"


def _timeout_s() -> float:
    """The time-out of a request, which MLflow's own variable may set; one that is no number is MLflow's to refuse."""
    try:
        return float(os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", REQUEST_TIMEOUT_S))
    except ValueError:
        return REQUEST_TIMEOUT_S


def has_extra() -> bool:
    """Whether MLflow's client is installed; it is not imported."""
    return importlib.util.find_spec("mlflow") is not None
