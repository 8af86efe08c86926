"""``python -m cinematch_assets.messaging.mlflow_writer``: write model versions into MLflow, in a process of its own.

Here: the program, which reads what MLflow is to hold from its input and answers with what it wrote. It needs the extra
``mlflow``. Not here: starting it (``messaging.mlflow_server``), what MLflow is to hold
(``pipeline.export_registry``).

Each version is one run, known by a tag that is there from its first moment, and one version of the registered model,
known by that run. What is there already is completed, so that it can be killed at any point and started again.
"""

import hashlib
import json
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
VERSION_TAG = "cinematch.version"
WRITTEN_TAG = "cinematch.written"
"""Hash of what a run holds; it is written last, so a run without it is not complete."""
_OF_THE_MODEL = ("version", "state", "artifact_sha256", "is_erased")
"""Tags of the run that the version of the registered model has too: its table shows every one of them."""
_PAGE = 100
_PENDING = "RUNNING"
_DECIDED = "FINISHED"
_OF_ONE_VERSION = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"}
"""Errors that may be of one version alone: the others are written all the same."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model version as MLflow shows it; times are in ms since 1970, ``decided_at`` is None before the gate."""

    version: str
    source: str
    created_at: int
    decided_at: int | None
    description: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def written(self) -> str:
        """Hash of everything."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def model_tags(self) -> dict[str, str]:
        """The tags of the version of the registered model, under short names."""
        return {name: self.tags[f"cinematch.{name}"] for name in _OF_THE_MODEL if f"cinematch.{name}" in self.tags}


@dataclass(frozen=True, slots=True)
class Registry:
    """What MLflow is to hold: the versions, oldest first, and which of them is champion."""

    name: str
    versions: tuple[RegisteredVersion, ...]
    champion: str | None

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` returned."""
        read = json.loads(text)
        return cls(read["name"], tuple(RegisteredVersion(**each) for each in read["versions"]), read["champion"])


@dataclass(slots=True)
class Written:
    """What a round wrote: names of versions, how many it had no time for, whether the alias moved, what was refused."""

    versions: list[str] = field(default_factory=list)
    left: int = 0
    champion: str | None = None
    faults: list[str] = field(default_factory=list)


class MlflowRegistry:
    """One experiment and the registered model of the same name, read once and then kept up with what is written."""

    def __init__(self, client: "MlflowClient", name: str) -> None:
        self._client, self._name = client, name
        self._experiment = self._ensure_experiment()
        self._ensure_model()
        self._runs: dict[str, list[Run]] = defaultdict(list)
        for run in self._list_runs():
            if version := run.data.tags.get(VERSION_TAG):
                self._runs[version].append(run)
        self._registered: dict[str, list[ModelVersion]] = defaultdict(list)
        for registered in self._list_registered():
            self._registered[str(registered.run_id)].append(registered)

    def is_written(self, version: RegisteredVersion) -> bool:
        """Whether the run and the model version are there once, as they are to be."""
        runs = self._runs.get(version.version, [])
        return (
            len(runs) == 1
            and runs[0].data.tags.get(WRITTEN_TAG) == version.written
            and len(self._registered.get(runs[0].info.run_id, [])) == 1
        )

    def write(self, version: RegisteredVersion) -> None:
        """Write or complete a version; of two runs for it, which a lost answer leaves, the second is deleted."""
        run = self._ensure_run(version)
        self._log(run, version)
        registered = self._ensure_registered(run.info.run_id, version)
        for name, value in version.model_tags.items():
            if registered.tags.get(name) != value:
                self._client.set_model_version_tag(self._name, registered.version, name, value)
        if (registered.description or "") != version.description:
            self._client.update_model_version(self._name, registered.version, version.description)
        if version.decided_at is None:
            self._client.update_run(run.info.run_id, status=_PENDING)
        else:
            self._client.set_terminated(run.info.run_id, _DECIDED, end_time=version.decided_at)
        self._client.set_tag(run.info.run_id, WRITTEN_TAG, version.written)

    def move_champion(self, champion: str | None) -> str | None:
        """Set the alias to a version that is written, or take it away; return the version if it moved."""
        now = self._client.get_registered_model(self._name).aliases.get(CHAMPION)
        if champion is None:
            if now is not None:
                self._client.delete_registered_model_alias(self._name, CHAMPION)
            return None
        number = self._registered[self._runs[champion][0].info.run_id][0].version
        if now is not None and str(now) == str(number):
            return None
        self._client.set_registered_model_alias(self._name, CHAMPION, number)
        return champion

    def _ensure_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._name)
        if found is None:
            return str(self._client.create_experiment(self._name))
        if found.lifecycle_stage != "active":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _ensure_model(self) -> None:
        if not self._client.search_registered_models(f"name = '{self._name}'", max_results=1):
            self._client.create_registered_model(self._name, description="Exported by CineMatch from its registry.")

    def _list_runs(self) -> Iterator["Run"]:
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment],
                max_results=_PAGE,
                order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
                page_token=token,
            )
            yield from page
            if not (token := page.token):
                return

    def _list_registered(self) -> Iterator["ModelVersion"]:
        token: str | None = None
        while True:
            page = self._client.search_model_versions(
                f"name = '{self._name}'", max_results=_PAGE, order_by=["version_number ASC"], page_token=token
            )
            yield from page
            if not (token := page.token):
                return

    def _ensure_run(self, version: RegisteredVersion) -> "Run":
        runs = self._runs[version.version]
        if not runs:
            name = version.version
            tags = {VERSION_TAG: name}
            runs.append(self._client.create_run(self._experiment, version.created_at, tags=tags, run_name=name))
        # One that is registered already comes first.
        runs.sort(key=lambda run: run.info.run_id not in self._registered)
        for repeated in runs[1:]:
            for registered in self._registered.pop(repeated.info.run_id, []):
                self._client.delete_model_version(self._name, registered.version)
            self._client.delete_run(repeated.info.run_id)
        del runs[1:]
        return runs[0]

    def _log(self, run: "Run", version: RegisteredVersion) -> None:
        """Log what differs: a parameter that is there cannot be changed, and a metric would get a second point."""
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

        at = version.created_at if version.decided_at is None else version.decided_at
        params = [Param(name, value) for name, value in version.params.items() if name not in run.data.params]
        metrics = [
            Metric(name, value, at, 0) for name, value in version.metrics.items() if run.data.metrics.get(name) != value
        ]
        note = {"mlflow.note.content": version.description, **version.tags}
        tags = [RunTag(name, value) for name, value in note.items() if run.data.tags.get(name) != value]
        self._client.log_batch(run.info.run_id, metrics, params, tags)

    def _ensure_registered(self, run_id: str, version: RegisteredVersion) -> "ModelVersion":
        registered = self._registered[run_id]
        if not registered:
            registered.append(
                self._client.create_model_version(
                    self._name,
                    version.source,
                    run_id,
                    tags=version.model_tags,
                    description=version.description,
                    await_creation_for=0,
                )
            )
        for repeated in registered[1:]:
            self._client.delete_model_version(self._name, repeated.version)
        del registered[1:]
        return registered[0]


def write_registry(client: "MlflowClient", registry: Registry, budget_s: float) -> Written:
    """Write the versions that MLflow does not hold as they are, oldest first, then the alias.

    Args:
        client: of an MLflow server.
        registry: what it is to hold.
        budget_s: after this time no further version is begun; the alias waits for the last of them.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    until = time.monotonic() + budget_s
    done = Written()
    held = MlflowRegistry(client, registry.name)
    missing = [version for version in registry.versions if not held.is_written(version)]
    refused = set()
    for number, version in enumerate(missing):
        if number and time.monotonic() > until:
            done.left = len(missing) - number
            return done
        try:
            held.write(version)
        except MlflowException as fault:
            if fault.error_code not in _OF_ONE_VERSION:
                raise
            done.faults.append(f"{version.version}: {fault}")
            refused.add(version.version)
        else:
            done.versions.append(version.version)
    if registry.champion not in refused:
        done.champion = held.move_champion(registry.champion)
    return done


def main(arguments: Sequence[str]) -> int:
    """Read the registry from the standard input and MLFLOW_TRACKING_URI, and print what was written as JSON.

    The one argument is the time for it, in seconds. An error of MLflow is an answer too: ``{"fault": …}``.
    """
    registry = Registry.from_json(sys.stdin.read())
    answer: dict[str, Any]
    with redirect_stdout(sys.stderr):
        from mlflow import MlflowClient  # noqa: PLC0415 - 170 MB, which no other process of the platform needs
        from mlflow.environment_variables import MLFLOW_TRACKING_URI  # noqa: PLC0415
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        uri = MLFLOW_TRACKING_URI.get()
        try:
            answer = asdict(write_registry(MlflowClient(uri, uri), registry, float(arguments[0])))
        except MlflowException as fault:
            answer = {"fault": str(fault)}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
