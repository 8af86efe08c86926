"""Versions that passed the gate and await a person's approval, where ``CINEMATCH_PROMOTION`` is ``approve``.

Here: awaiting, approval, rejection by hand, expiry. Not here: promotion without a person, and what every promotion does
(``champion``), the gate's rule (``promotion``).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from cinematch_assets.actor import Actor
from cinematch_assets.warehouse.audit import Action, add_audit_entry
from cinematch_assets.warehouse.champion import close_decisions, make_champion, record_decision
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.model_registry import (
    Artifact,
    GateResult,
    RegistryConflictError,
    read_champion_version,
    require_champion_is,
)
from cinematch_assets.warehouse.notifications import record_notification, settle_notifications
from cinematch_assets.warehouse.statements import statement

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AwaitingVersion:
    """A version that passed the gate and waits for a person."""

    version: str
    over: str | None
    """The champion that it was compared with."""
    reason: str
    since: datetime
    expires_at: datetime
    has_expired: bool

    @property
    def why(self) -> str:
        """What it waits for, in one sentence."""
        return f"{self.version} passed the gate and awaits approval until {self.expires_at:%Y-%m-%d %H:%M}"

    @property
    def next_step(self) -> str:
        """The commands that end the wait."""
        return f"run cinematch models promote {self.version}, or cinematch models reject {self.version}"


def await_approval(
    connection: psycopg.Connection,
    version: str,
    final: Artifact,
    gate_result: GateResult,
    *,
    over: str | None,
    data_size: int,
    days: int,
    trained_from: Mapping[str, Any] | None = None,
) -> None:
    """Let a candidate that passed wait for a person; the champion and the batches stay as they are.

    One that waited before is rejected: only the newest can be approved.

    Args:
        connection: autocommit; the transaction is opened here.
        version: the candidate.
        final: the artifact refitted on the holdout rows too.
        gate_result: the evidence.
        over: the champion it was compared with.
        data_size: ratings that the final artifact was fitted on.
        days: until it expires.
        trained_from: what rebuilding the final artifact needs; None when it is the candidate's.

    Raises:
        RegistryConflictError: the champion is not ``over``, or the version was decided on before.
    """
    with connection.transaction():
        lock(connection, "registry")
        require_champion_is(connection, over)
        for former in list_awaiting(connection):
            _reject(connection, former.version, f"rejected: {version} awaits approval instead", keep_decisions=True)
        record_decision(
            connection,
            version,
            final,
            gate_result,
            state="awaiting_approval",
            previous_champion=over,
            data_size=data_size,
            trained_from=trained_from,
        )
        connection.execute(statement("registry/set_expiry"), {"version": version, "days": days})
        waiting = next(each for each in list_awaiting(connection) if each.version == version)
        record_notification(
            connection,
            "awaiting approval",
            f"{version} awaits approval",
            waiting.reason,
            next_step=f"{waiting.next_step}; it expires on {waiting.expires_at:%Y-%m-%d %H:%M}",
            about=_about(version),
        )
    _LOG.info("%s", waiting.why)


def list_awaiting(connection: psycopg.Connection) -> list[AwaitingVersion]:
    """Return the versions that await approval, with those that expired and were not rejected yet."""
    with connection.cursor(row_factory=class_row(AwaitingVersion)) as cursor:
        return cursor.execute(statement("registry/select_awaiting_versions")).fetchall()


def approve(
    connection: psycopg.Connection, version: str, reason: str, *, merge: str, by: Actor | None = None
) -> tuple[str, ...]:
    """Make a version that awaits approval champion, in one transaction; return the batches that moved with it.

    Raises:
        RegistryConflictError: it does not wait (any more), it expired, or another champion serves than the one it was
            compared with.
    """
    with connection.transaction():
        lock(connection, "registry")
        waiting = next((each for each in list_awaiting(connection) if each.version == version), None)
        if waiting is None:
            raise RegistryConflictError(f"{version} does not await approval: cinematch models list shows its state")
        if waiting.has_expired:
            raise RegistryConflictError(f"{version} expired at {waiting.expires_at:%Y-%m-%d %H:%M}: train a new one")
        champion = read_champion_version(connection)
        if champion != waiting.over:
            raise RegistryConflictError(
                f"{version} was compared with {waiting.over or 'no champion'}, and {champion or 'none'} is champion "
                f"now: run cinematch models reject {version}, and the next retraining compares again"
            )
        connection.execute(statement("registry/promote_awaiting_version"), {"version": version})
        settle_notifications(connection, [_about(version)])
        return make_champion(connection, version, over=waiting.over, merge=merge, reason=reason, by=by)


def reject_awaiting(connection: psycopg.Connection, version: str, reason: str, by: Actor | None = None) -> None:
    """Reject a version that awaits approval; the batches stay in the buffer.

    Raises:
        RegistryConflictError: it does not wait (any more).
    """
    with connection.transaction():
        lock(connection, "registry")
        if version not in [each.version for each in list_awaiting(connection)]:
            raise RegistryConflictError(f"{version} does not await approval: cinematch models list shows its state")
        _reject(connection, version, reason)
        add_audit_entry(connection, Action.REJECTION, version, reason, by)


def reject_outdated(connection: psycopg.Connection) -> None:
    """Reject what expired, and what was compared with a version that is not champion any more.

    Nothing is written when there is none.
    """
    if not any(_outdated(connection)):
        return
    with connection.transaction():
        lock(connection, "registry")
        for version, reason in _outdated(connection):
            _reject(connection, version, reason)


def _outdated(connection: psycopg.Connection) -> list[tuple[str, str]]:
    champion = read_champion_version(connection)
    reasons = []
    for each in list_awaiting(connection):
        if each.has_expired:
            reasons.append((each.version, f"rejected: not approved until {each.expires_at:%Y-%m-%d %H:%M}"))
        elif each.over != champion:
            reasons.append((each.version, f"rejected: compared with {each.over}, and {champion} is champion now"))
    return reasons


def _reject(connection: psycopg.Connection, version: str, reason: str, *, keep_decisions: bool = False) -> None:
    connection.execute(statement("registry/reject_awaiting_version"), {"version": version, "reason": reason})
    settle_notifications(connection, [_about(version)])
    if keep_decisions:
        return
    close_decisions(connection, version, "rejected", f"{version} {reason}")
    record_notification(connection, "rejected", f"{version} rejected, the champion stays", reason)


def _about(version: str) -> str:
    return f"approval {version}"
