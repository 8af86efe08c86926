"""Model versions, and which of them is champion.

Here: registering, judging, promoting, rolling back, and the merge of batches that only a promotion does. Not here: the
verdict (``retraining``), the artifact's bytes (the store).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.batches import lock_batch
from cinematch_assets.warehouse.copy import copy_columns
from cinematch_assets.warehouse.statements import statement


class RegistryConflictError(CinematchError):
    """The registry is not what the caller judged by; nothing was changed."""


class NoChampionError(CinematchError):
    """A question needs a model, and none was promoted yet."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Where a model lies in the store, the hash it must have, and its format: whoever reads another one leaves it."""

    key: str
    sha256: str
    size: int
    format: int


@dataclass(frozen=True, slots=True)
class TrainedBatch:
    """A batch, with its content, that a version learned from or was judged on."""

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
    metrics: dict[str, Any] | None
    evidence: dict[str, Any] | None
    judged_at: datetime | None
    replaced: str | None

    @property
    def artifact(self) -> Artifact:
        """Where its bytes are."""
        return Artifact(self.artifact_key, self.artifact_sha256, self.artifact_size, self.artifact_format)


@dataclass(frozen=True, slots=True)
class GateResult:
    """What ``model_metrics`` found out about a candidate."""

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
) -> str:
    """Give a fitted model its version ``run_<first 8 of the run>_v<n>``, and return that."""
    with connection.transaction():
        connection.execute(statement("files/lock_name"), {"name": "registry"})
        values = {
            "run_id": run_id,
            "method": method,
            "config": Jsonb(dict(config)),
            "seed": seed,
            "data_size": data_size,
            **_artifact_values(artifact),
        }
        (version,) = connection.execute(statement("registry/insert_model_version"), values).fetchone() or ("",)
        for batch in batches:
            row = {"version": version, "batch_id": batch.batch_id, "md5": batch.md5, "rows": batch.rows}
            connection.execute(statement("registry/insert_model_batch"), row)
    return str(version)


def model_version(connection: psycopg.Connection, version: str) -> ModelVersion:
    """Return one version.

    Raises:
        RegistryConflictError: there is none of that name.
    """
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        found = cursor.execute(statement("registry/select_model_version"), {"version": version}).fetchone()
    if found is None:
        raise RegistryConflictError(f"no model version {version}: cinematch models list shows those there are")
    return found


def model_versions(connection: psycopg.Connection) -> list[ModelVersion]:
    """Return every version, newest first."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(statement("registry/select_model_versions")).fetchall()


def read_champion(connection: psycopg.Connection) -> ModelVersion | None:
    """Return the champion, None before the first promotion."""
    row = connection.execute(statement("registry/select_champion")).fetchone()
    return None if row is None else model_version(connection, row[0])


def require_champion(connection: psycopg.Connection) -> ModelVersion:
    """Return the champion.

    Raises:
        NoChampionError: naming what to run.
    """
    found = read_champion(connection)
    if found is not None:
        return found
    newest = next(iter(model_versions(connection)), None)
    if newest is not None and newest.state == "rejected":
        reason = (newest.evidence or {}).get("reason", "see cinematch models list")
        raise NoChampionError(f"there is no champion: {newest.version} was {reason}; more ratings may change that")
    raise NoChampionError("there is no champion yet: run cinematch demo, or materialize the retrain job")


def promote(
    connection: psycopg.Connection,
    version: str,
    final: Artifact,
    gate_result: GateResult,
    *,
    over: str | None,
    data_size: int,
    merge: str,
) -> tuple[str, ...]:
    """Make a candidate champion and move the batches it learned from, in one transaction; return those batches.

    Only batches that still have the content it was trained on move; one that arrived or changed meanwhile stays.

    Args:
        connection: autocommit; the transaction is opened here.
        version: the candidate.
        final: the artifact refitted on the held-out rows too.
        gate_result: the evidence.
        over: the champion it was judged against, None for the first.
        data_size: ratings that the final artifact was fitted on.
        merge: ``merge`` moves the batches into ``ratings`` as train, ``delete`` removes them.

    Raises:
        RegistryConflictError: another champion rules than ``over``, or the version was judged before.
    """
    with connection.transaction():
        connection.execute(statement("files/lock_name"), {"name": "registry"})
        _require_champion_is(connection, over)
        _judge(connection, version, final, gate_result, state="promoted", replaced=over, data_size=data_size)
        connection.execute(statement("registry/upsert_champion"), {"version": version})
        change = {"version": version, "former": over, "reason": str(gate_result.evidence.get("reason", "promoted"))}
        connection.execute(statement("registry/insert_champion_change"), change)
        moved = _move_batches(connection, version, merge)
        outcome = f"{version} promoted" + (f" over {over}" if over else "")
        connection.execute(
            statement("drift/settle_decisions"), {"version": version, "state": "retrained", "outcome": outcome}
        )
    return moved


def reject(connection: psycopg.Connection, version: str, gate_result: GateResult) -> None:
    """Keep the champion; the candidate's evidence is stored, and its batches go on waiting."""
    with connection.transaction():
        connection.execute(statement("files/lock_name"), {"name": "registry"})
        candidate = model_version(connection, version)
        _judge(
            connection,
            version,
            candidate.artifact,
            gate_result,
            state="rejected",
            replaced=None,
            data_size=candidate.data_size,
        )
        outcome = f"{version} rejected: {gate_result.evidence.get('reason', '')}"
        connection.execute(
            statement("drift/settle_decisions"), {"version": version, "state": "rejected", "outcome": outcome}
        )


def set_champion(connection: psycopg.Connection, version: str, lists: pd.DataFrame, reason: str) -> str | None:
    """Make a judged version champion by hand, with its recommendations, in one transaction; return the former one."""
    with connection.transaction():
        connection.execute(statement("files/lock_name"), {"name": "registry"})
        row = connection.execute(statement("registry/select_champion")).fetchone()
        former = row[0] if row else None
        connection.execute(statement("registry/upsert_champion"), {"version": version})
        connection.execute(
            statement("registry/insert_champion_change"), {"version": version, "former": former, "reason": reason}
        )
        _write_recommendations(connection, version, lists)
    return former


def write_recommendations(connection: psycopg.Connection, version: str, lists: pd.DataFrame) -> int:
    """Make ``recommendations`` hold exactly these lists (userId, rank, movieId, score), if ``version`` still rules.

    Raises:
        RegistryConflictError: another version became champion meanwhile; its own run writes its lists.
    """
    with connection.transaction():
        connection.execute(statement("files/lock_name"), {"name": "registry"})
        _require_champion_is(connection, version)
        return _write_recommendations(connection, version, lists)


def _write_recommendations(connection: psycopg.Connection, version: str, lists: pd.DataFrame) -> int:
    connection.execute(statement("registry/delete_recommendations"))
    columns = {
        "userId": lists["userId"].to_numpy("int32"),
        "rank": lists["rank"].to_numpy("int16"),
        "movieId": lists["movieId"].to_numpy("int32"),
        "score": lists["score"].to_numpy("float32"),
    }
    return copy_columns(connection, sql.Identifier("recommendations"), columns, {"model_version": version})


def _require_champion_is(connection: psycopg.Connection, expected: str | None) -> None:
    row = connection.execute(statement("registry/select_champion")).fetchone()
    champion = row[0] if row else None
    if champion != expected:
        raise RegistryConflictError(
            f"the champion is {champion or 'none'}, and was {expected or 'none'} when this run began: run it again"
        )


def _judge(
    connection: psycopg.Connection,
    version: str,
    artifact: Artifact,
    gate_result: GateResult,
    *,
    state: str,
    replaced: str | None,
    data_size: int,
) -> None:
    values = {
        "version": version,
        "state": state,
        "metrics": Jsonb(dict(gate_result.metrics)),
        "evidence": Jsonb(dict(gate_result.evidence)),
        "replaced": replaced,
        "data_size": data_size,
        **_artifact_values(artifact),
    }
    if connection.execute(statement("registry/decide_model_version"), values).rowcount != 1:
        raise RegistryConflictError(f"{version} was judged before, or is not in the registry: run retrain again")
    row = {
        "version": version,
        "rmse": gate_result.rmse,
        "mae": gate_result.mae,
        "precision_at_10": gate_result.precision_at_10,
        "data_size": data_size,
        "notes": gate_result.notes,
    }
    connection.execute(statement("registry/insert_model_metrics"), row)


def _move_batches(connection: psycopg.Connection, version: str, merge: str) -> tuple[str, ...]:
    candidates = connection.execute(statement("batches/select_mergeable_batches"), {"version": version}).fetchall()
    for (batch_id,) in candidates:
        lock_batch(connection, batch_id)
    # Asked again: whoever held a lock may have replaced the batch.
    found = connection.execute(statement("batches/select_mergeable_batches"), {"version": version}).fetchall()
    batches = tuple(batch_id for (batch_id,) in found if (batch_id,) in candidates)
    if batches:
        connection.execute(statement("files/lock_name"), {"name": "ratings"})
    for batch_id in batches:
        move = "batches/merge_batch" if merge == "merge" else "batches/delete_buffer_batch"
        connection.execute(statement(move), {"batch_id": batch_id})
        place = "merged" if merge == "merge" else "deleted"
        connection.execute(
            statement("batches/mark_batch_moved"), {"batch_id": batch_id, "place": place, "version": version}
        )
    if batches:
        connection.execute(statement("drift/refresh_drift_baseline"))
    return batches


def _artifact_values(artifact: Artifact) -> dict[str, Any]:
    return {
        "artifact_key": artifact.key,
        "artifact_sha256": artifact.sha256,
        "artifact_size": artifact.size,
        "artifact_format": artifact.format,
    }


def recommended_version(connection: psycopg.Connection) -> str | None:
    """Return whose lists table ``recommendations`` holds, None while it is empty."""
    row = connection.execute(statement("registry/select_recommended_version")).fetchone()
    return None if row is None else str(row[0])


def trained_batches(connection: psycopg.Connection, version: str) -> list[TrainedBatch]:
    """Return the batches, with their contents, that a version learned from or was judged on."""
    with connection.cursor(row_factory=class_row(TrainedBatch)) as cursor:
        return cursor.execute(statement("registry/select_trained_batches"), {"version": version}).fetchall()


def newest_candidate(connection: psycopg.Connection, run_id: str) -> str:
    """Return the candidate of this run, or else the newest that nobody judged.

    Raises:
        RegistryConflictError: there is none.
    """
    row = connection.execute(statement("registry/select_newest_candidate"), {"run_id": run_id}).fetchone()
    if row is None:
        raise RegistryConflictError("no candidate waits for a verdict: materialize recommender_model first")
    return str(row[0])


def scorer_of(connection: psycopg.Connection, batch_id: str) -> ModelVersion | None:
    """Return the newest champion that has not learned from a batch, the only one whose errors on it are honest."""
    row = connection.execute(statement("registry/select_scorer"), {"batch_id": batch_id}).fetchone()
    return None if row is None else model_version(connection, row[0])
