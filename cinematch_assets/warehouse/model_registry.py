"""Model versions: registering candidates and reading the registry.

Here: rows of ``ops.model_versions``. Not here: promotion (``champion``), the gate's rule (``promotion``), an artifact's
bytes (``storage``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.statements import scalar, statement


class RegistryConflictError(SurroundingsError):
    """The registry changed since the caller read it; nothing was written, and another run may succeed."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model in the store: its key, the hash that its bytes must have, their format, and what computed them."""

    key: str
    sha256: str
    size: int
    format: int
    computed_by: Mapping[str, Any] | None = None
    """As ``recommender.environment`` describes it; None for versions of releases that did not record it."""


@dataclass(frozen=True, slots=True)
class TrainedBatch:
    """A batch, with its content, that a version was trained or evaluated on."""

    batch_id: str
    md5: str
    rows: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A row of the registry."""

    version: str
    ordinal: int
    run_id: str
    created_at: datetime
    state: str
    method: str
    config: dict[str, Any]
    seed: int
    data_size: int
    artifact_key: str
    artifact_sha256: str
    artifact_size: int
    artifact_format: int
    computed_by: dict[str, Any] | None
    trained_from: dict[str, Any] | None
    metrics: dict[str, Any] | None
    evidence: dict[str, Any] | None
    decided_at: datetime | None
    previous_champion: str | None

    @property
    def artifact(self) -> Artifact:
        """Where its bytes are."""
        return Artifact(
            self.artifact_key, self.artifact_sha256, self.artifact_size, self.artifact_format, self.computed_by
        )


@dataclass(frozen=True, slots=True)
class VersionMoments:
    """When a version was made and decided on; whether its artifact was deleted with people that it knew."""

    version: str
    created_at: datetime
    decided_at: datetime | None
    is_erased: bool


@dataclass(frozen=True, slots=True)
class GateResult:
    """The gate's figures and evidence for a candidate."""

    rmse: float
    mae: float
    precision_at_10: float
    notes: str
    metrics: Mapping[str, Any]
    evidence: Mapping[str, Any]


def register_candidate(
    connection: psycopg.Connection,
    run_id: str,
    artifact: Artifact,
    *,
    method: str,
    config: Mapping[str, Any],
    seed: int,
    data_size: int,
    batches: Sequence[TrainedBatch],
    trained_on: str | None = None,
    trained_from: Mapping[str, Any] | None = None,
) -> str:
    """Register a fitted model as version ``run_<first 8 of the run>_v<n>``; return that name.

    ``trained_on`` is the hash of the contents that it was fitted on, ``trained_from`` what rebuilding it needs.
    """
    with connection.transaction():
        lock(connection, "registry")
        values = {
            "run_id": run_id,
            "method": method,
            "config": Jsonb(dict(config)),
            "seed": seed,
            "data_size": data_size,
            "trained_on": trained_on,
            "trained_from": None if trained_from is None else Jsonb(dict(trained_from)),
            **artifact_values(artifact),
        }
        version = scalar(connection, "registry/insert_model_version", **values)
        for batch in batches:
            row = {"version": version, "batch_id": batch.batch_id, "md5": batch.md5, "rows": batch.rows}
            connection.execute(statement("registry/insert_model_batch"), row)
    return str(version)


def read_model_version(connection: psycopg.Connection, version: str) -> ModelVersion:
    """Return one version.

    Raises:
        RegistryConflictError: there is none of that name.
    """
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        found = cursor.execute(statement("registry/select_model_version"), {"version": version}).fetchone()
    if found is None:
        raise RegistryConflictError(f"no model version {version}: cinematch models list shows those there are")
    return found


def list_model_versions(connection: psycopg.Connection) -> list[ModelVersion]:
    """Return every version, newest first."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(statement("registry/select_model_versions")).fetchall()


def read_version_moments(connection: psycopg.Connection) -> dict[str, VersionMoments]:
    """Return by version when it was made and decided on, with their time zone, and whether it was erased."""
    with connection.cursor(row_factory=class_row(VersionMoments)) as cursor:
        return {row.version: row for row in cursor.execute(statement("registry/select_version_moments"))}


def list_kept_trainings(connection: psycopg.Connection, days: int) -> dict[str, dict[str, Any]]:
    """Return ``trained_from`` by version: the champion, and what was champion, registered or decided on in ``days``."""
    return dict(connection.execute(statement("registry/select_kept_versions"), {"days": days}).fetchall())


def find_newest_version(connection: psycopg.Connection) -> ModelVersion | None:
    """Return the version that was registered last, None before the first."""
    return next(iter(list_model_versions(connection)), None)


def find_rejection(connection: psycopg.Connection, trained_on: str, artifact_format: int) -> str | None:
    """Return version and reason of the newest candidate that was fitted on these contents and rejected."""
    values = {"trained_on": trained_on, "artifact_format": artifact_format}
    row = connection.execute(statement("registry/select_rejection"), values).fetchone()
    return None if row is None else f"{row[0]} was {row[1] or 'rejected'}"


def read_champion_version(connection: psycopg.Connection) -> str | None:
    """Return the champion's name, None before the first promotion."""
    row = connection.execute(statement("registry/select_champion")).fetchone()
    return None if row is None else str(row[0])


def require_champion_is(connection: psycopg.Connection, expected: str | None) -> None:
    """Raise when another version became champion; the caller has the registry's lock.

    Raises:
        RegistryConflictError: naming both versions.
    """
    champion = read_champion_version(connection)
    if champion != expected:
        raise RegistryConflictError(
            f"the champion is {champion or 'none'}, and was {expected or 'none'} when this run began: run it again"
        )


def artifact_values(artifact: Artifact) -> dict[str, Any]:
    """Column values of an artifact."""
    return {
        "artifact_key": artifact.key,
        "artifact_sha256": artifact.sha256,
        "artifact_size": artifact.size,
        "artifact_format": artifact.format,
        "computed_by": None if artifact.computed_by is None else Jsonb(dict(artifact.computed_by)),
    }


def list_trained_batches(connection: psycopg.Connection, version: str) -> list[TrainedBatch]:
    """Return the batches, with their contents, that a version was trained or evaluated on."""
    with connection.cursor(row_factory=class_row(TrainedBatch)) as cursor:
        return cursor.execute(statement("registry/select_trained_batches"), {"version": version}).fetchall()


def find_newest_candidate(connection: psycopg.Connection, run_id: str) -> str:
    """Return the candidate of this run, or else the newest candidate.

    Raises:
        RegistryConflictError: there is none.
    """
    row = connection.execute(statement("registry/select_newest_candidate"), {"run_id": run_id}).fetchone()
    if row is None:
        raise RegistryConflictError("there is no candidate to evaluate: materialize recommender_model first")
    return str(row[0])
