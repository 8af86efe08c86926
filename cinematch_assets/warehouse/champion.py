"""Which version is champion: promotion, rejection, rollback, and the merge of batches on promotion.

Here: transactions that change the champion. Not here: the gate's rule (``promotion``), versions that a person has to
approve (``approval``), rows of versions (``model_registry``).
"""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd
import psycopg
from psycopg.types.json import Jsonb

from cinematch_assets.actor import Actor
from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.locks import lock, lock_batch
from cinematch_assets.warehouse.model_registry import (
    Artifact,
    GateResult,
    ModelVersion,
    RegistryConflictError,
    artifact_values,
    find_newest_version,
    read_champion_version,
    read_model_version,
    require_champion_is,
)
from cinematch_assets.warehouse.notifications import record_notification
from cinematch_assets.warehouse.recommendations import replace_recommendations
from cinematch_assets.warehouse.statements import statement

_LOG = logging.getLogger(__name__)


class NoChampionError(CinematchError):
    """A model is needed, and none was promoted yet."""


def read_champion(connection: psycopg.Connection) -> ModelVersion | None:
    """Return the champion, None before the first promotion."""
    version = read_champion_version(connection)
    return None if version is None else read_model_version(connection, version)


def require_champion(connection: psycopg.Connection) -> ModelVersion:
    """Return the champion.

    Raises:
        NoChampionError: naming what to run.
    """
    found = read_champion(connection)
    if found is not None:
        return found
    newest = find_newest_version(connection)
    if newest is not None and newest.state == "rejected":
        reason = (newest.evidence or {}).get("reason", "see cinematch models list")
        raise NoChampionError(f"there is no champion: {newest.version} was {reason}; more ratings may change that")
    raise NoChampionError("there is no champion yet: run cinematch demo, or materialize the retrain job")


def find_scorer(connection: psycopg.Connection, batch_id: str) -> ModelVersion | None:
    """Return the newest champion that was not trained on a batch: errors of others on it would be training errors."""
    return next(iter(find_scorers(connection, batch_id)), None)


def find_scorers(connection: psycopg.Connection, batch_id: str) -> list[ModelVersion]:
    """Return that champion and its predecessor, as far as there are any."""
    rows = connection.execute(statement("registry/select_scorers"), {"batch_id": batch_id}).fetchall()
    return [read_model_version(connection, version) for (version,) in rows]


def promote(
    connection: psycopg.Connection,
    version: str,
    final: Artifact,
    gate_result: GateResult,
    *,
    over: str | None,
    data_size: int,
    merge: str,
    by: Actor | None = None,
    trained_from: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Make a candidate champion and move the batches it was trained on, in one transaction; return those batches.

    Only batches that still have the content it was trained on move; one that arrived or changed meanwhile stays.

    Args:
        connection: autocommit; the transaction is opened here.
        version: the candidate.
        final: the artifact refitted on the holdout rows too.
        gate_result: the evidence.
        over: the champion it was compared with, None for the first.
        data_size: ratings that the final artifact was fitted on.
        trained_from: what rebuilding the final artifact needs; None when it is the candidate's.
        merge: ``merge`` moves the batches into ``ratings`` as train, ``delete`` removes them.
        by: who the audit names; by default the user of this process.

    Raises:
        RegistryConflictError: the champion is not ``over``, or the version was promoted or rejected before.
    """
    with connection.transaction():
        lock(connection, "registry")
        require_champion_is(connection, over)
        record_decision(
            connection,
            version,
            final,
            gate_result,
            state="promoted",
            previous_champion=over,
            data_size=data_size,
            trained_from=trained_from,
        )
        reason = str(gate_result.evidence.get("reason", "promoted"))
        return make_champion(connection, version, over=over, merge=merge, reason=reason, by=by)


def make_champion(
    connection: psycopg.Connection, version: str, *, over: str | None, merge: str, reason: str, by: Actor | None
) -> tuple[str, ...]:
    """Set the champion and move the batches it was trained on; return those batches.

    Call it under the registry's lock, in the transaction that makes the version promoted.
    """
    connection.execute(statement("registry/upsert_champion"), {"version": version})
    change = {"version": version, "former": over, "reason": reason}
    connection.execute(statement("registry/insert_champion_change"), change)
    moved = _move_batches(connection, version, merge)
    _audit_promotion(connection, version, reason, by, former=over, merge=merge, moved=moved)
    outcome = f"{version} promoted" + (f" over {over}" if over else "")
    close_decisions(connection, version, "retrained", outcome)
    record_notification(connection, "promoted", outcome, f"{reason}; batches {merge}d: {', '.join(moved) or 'none'}")
    _LOG.info("%s; batches %sd: %s", outcome, merge, ", ".join(moved) or "none")
    return moved


def close_decisions(connection: psycopg.Connection, version: str, state: str, outcome: str) -> None:
    """Record what became of the decisions on the batches that a version was trained on."""
    values = {"version": version, "state": state, "outcome": outcome}
    connection.execute(statement("drift/close_decisions"), values)


def reject(connection: psycopg.Connection, version: str, gate_result: GateResult) -> None:
    """Reject a candidate: its evidence is stored, the champion and the waiting batches stay."""
    with connection.transaction():
        lock(connection, "registry")
        candidate = read_model_version(connection, version)
        record_decision(
            connection,
            version,
            candidate.artifact,
            gate_result,
            state="rejected",
            previous_champion=None,
            data_size=candidate.data_size,
        )
        reason = str(gate_result.evidence.get("reason", ""))
        outcome = f"{version} rejected: {reason.removeprefix('rejected: ')}"
        close_decisions(connection, version, "rejected", outcome)
        record_notification(
            connection,
            "rejected",
            f"{version} rejected, the champion stays",
            reason,
            next_step="the batches stay in the buffer; cinematch models list shows the evidence",
        )


def set_champion(
    connection: psycopg.Connection,
    version: str,
    recommendations: pd.DataFrame,
    reason: str,
    action: Action = Action.PROMOTION,
    by: Actor | None = None,
) -> str | None:
    """Make an evaluated version champion by hand, and replace the recommendations; return the former one."""
    with connection.transaction():
        lock(connection, "registry")
        former = read_champion_version(connection)
        connection.execute(statement("registry/upsert_champion"), {"version": version})
        connection.execute(
            statement("registry/insert_champion_change"), {"version": version, "former": former, "reason": reason}
        )
        replace_recommendations(connection, version, recommendations)
        add_audit_entry(connection, action, version, reason, by, former=former)
        instead = f" instead of {former}" if former else ""
        record_notification(connection, "champion changed", f"{version} is champion{instead}", reason)
    _LOG.info("%s is champion instead of %s: %s", version, former, reason)
    return former


def record_decision(
    connection: psycopg.Connection,
    version: str,
    artifact: Artifact,
    gate_result: GateResult,
    *,
    state: str,
    previous_champion: str | None,
    data_size: int,
    trained_from: Mapping[str, Any] | None = None,
) -> None:
    """Store what the gate found with its evidence; call it under the registry's lock.

    Raises:
        RegistryConflictError: the version is no candidate any more.
    """
    values = {
        "version": version,
        "state": state,
        "metrics": Jsonb(dict(gate_result.metrics)),
        "evidence": Jsonb(dict(gate_result.evidence)),
        "previous_champion": previous_champion,
        "data_size": data_size,
        "trained_from": None if trained_from is None else Jsonb(dict(trained_from)),
        **artifact_values(artifact),
    }
    if connection.execute(statement("registry/decide_model_version"), values).rowcount != 1:
        raise RegistryConflictError(
            f"{version} was promoted or rejected before, or is not in the registry: run retrain again"
        )
    row = {
        "version": version,
        "rmse": gate_result.rmse,
        "mae": gate_result.mae,
        "precision_at_10": gate_result.precision_at_10,
        "data_size": data_size,
        "notes": gate_result.notes,
    }
    connection.execute(statement("registry/insert_model_metrics"), row)


def _audit_promotion(
    connection: psycopg.Connection,
    version: str,
    reason: str,
    by: Actor | None,
    *,
    former: str | None,
    merge: str,
    moved: tuple[str, ...],
) -> None:
    add_audit_entry(connection, Action.PROMOTION, version, reason, by, former=former, batches=moved)
    for batch_id in moved if merge == "delete" else ():
        why = f"{version} was trained on it, and CINEMATCH_MERGE is delete"
        add_audit_entry(connection, Action.BATCH_REMOVAL, batch_id, why, by)


def _move_batches(connection: psycopg.Connection, version: str, merge: str) -> tuple[str, ...]:
    candidates = connection.execute(statement("batches/select_mergeable_batches"), {"version": version}).fetchall()
    for (batch_id,) in candidates:
        lock_batch(connection, batch_id)
    # Queried again: another process may have replaced the batch before its lock was released.
    found = connection.execute(statement("batches/select_mergeable_batches"), {"version": version}).fetchall()
    batches = tuple(batch_id for (batch_id,) in found if (batch_id,) in candidates)
    if batches:
        lock(connection, "ratings")
    if merge == "merge":
        move, place = statement("batches/merge_batch"), "merged"
    else:
        move, place = statement("batches/delete_buffer_batch"), "deleted"
    for batch_id in batches:
        values = {"batch_id": batch_id, "place": place, "version": version}
        connection.execute(move, values)
        connection.execute(statement("batches/mark_batch_moved"), values)
    if batches:
        connection.execute(statement("drift/refresh_drift_baseline"))
    return batches
