"""A version that passed the gate waits for a person: approval, rejection, expiry, another champion meanwhile."""

import psycopg
import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.warehouse.approval import (
    approve,
    await_approval,
    list_awaiting,
    reject_awaiting,
    reject_outdated,
)
from cinematch_assets.warehouse.audit import list_audit_entries
from cinematch_assets.warehouse.champion import require_champion, set_champion
from cinematch_assets.warehouse.drift_alerts import list_waiting_decisions
from cinematch_assets.warehouse.model_registry import RegistryConflictError, TrainedBatch, read_model_version
from cinematch_assets.warehouse.notifications import list_notifications
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    assess,
    count,
    load,
    make_artifact,
    make_gate_result,
    make_ratings,
    make_recommendations,
    md5_of,
    promote_candidate,
    read_rows,
)

ADA = Actor("ada")
A = md5_of("a")


@pytest.fixture
def first(connection: psycopg.Connection) -> str:
    """The champion."""
    return promote_candidate(connection, "first")[0]


@pytest.fixture
def waiting(connection: psycopg.Connection, first: str) -> str:
    """A version that was trained on a drifted batch and awaits approval."""
    load(connection, "w1", make_ratings((1, 10, 4.0, 100)), "a")
    assess(connection, "w1", due=True)
    return let_wait(connection, "second", first, TrainedBatch("w1", A, 1))


def let_wait(connection: psycopg.Connection, run: str, over: str, *batches: TrainedBatch) -> str:
    version = add_candidate(connection, run, *batches)
    await_approval(connection, version, make_artifact(run), make_gate_result(), over=over, data_size=4, days=7)
    return version


def expire(connection: psycopg.Connection) -> None:
    connection.execute("UPDATE ops.model_versions SET expires_at = now() - interval '1 s' WHERE state LIKE 'awaiting%'")


def test_it_waits_and_nothing_else_changes(connection: psycopg.Connection, first: str, waiting: str) -> None:
    (row,) = list_awaiting(connection)
    assert (row.version, row.over, row.reason, row.has_expired) == (waiting, first, "better on the newest rows", False)
    assert require_champion(connection).version == first
    assert (count(connection, "ratings"), count(connection, "ratings_buffer")) == (0, 1)
    assert [each.batch_id for each in list_waiting_decisions(connection)] == ["w1"]
    newest = list_notifications(connection)[0]
    assert (newest.kind, newest.subject) == ("awaiting approval", f"{waiting} awaits approval")
    assert f"cinematch models promote {waiting}" in newest.next_step


def test_approval_is_the_promotion_that_the_gate_would_have_made(
    connection: psycopg.Connection, first: str, waiting: str
) -> None:
    assert approve(connection, waiting, "looks right", merge="merge", by=ADA) == ("w1",)
    assert require_champion(connection).version == waiting
    assert require_champion(connection).previous_champion == first
    assert (count(connection, "ratings"), count(connection, "ratings_buffer")) == (1, 0)
    assert list_waiting_decisions(connection) == []
    entry = list_audit_entries(connection)[0]
    assert (entry.action, entry.subject, entry.actor, entry.reason) == ("promotion", waiting, "ada", "looks right")
    assert count(connection, f"model_metrics WHERE model_version = '{waiting}'") == 1
    with pytest.raises(RegistryConflictError, match="does not await approval"):
        approve(connection, waiting, "again", merge="merge")


def test_a_person_rejects_it(connection: psycopg.Connection, first: str, waiting: str) -> None:
    reject_awaiting(connection, waiting, "rejected by hand: too much alike", ADA)
    row = read_model_version(connection, waiting)
    assert row.state == "rejected"
    assert row.evidence is not None
    assert row.evidence["reason"] == "rejected by hand: too much alike"
    assert row.evidence["gate_reason"] == "better on the newest rows"
    assert require_champion(connection).version == first
    assert read_rows(connection, "ops.retraining_decisions", "batch_id, state") == [("w1", "rejected")]
    assert count(connection, "ratings_buffer") == 1
    assert list_audit_entries(connection)[0].action == "rejection"
    with pytest.raises(RegistryConflictError, match="does not await approval"):
        reject_awaiting(connection, waiting, "again")


def test_it_expires(connection: psycopg.Connection, first: str, waiting: str) -> None:
    reject_outdated(connection)
    assert [each.version for each in list_awaiting(connection)] == [waiting]
    expire(connection)
    with pytest.raises(RegistryConflictError, match="expired at"):
        approve(connection, waiting, "late", merge="merge")
    reject_outdated(connection)
    evidence = read_model_version(connection, waiting).evidence
    assert evidence is not None
    assert evidence["reason"].startswith("rejected: not approved until ")
    assert list_awaiting(connection) == []
    assert list_notifications(connection)[0].kind == "rejected"
    assert require_champion(connection).version == first


def test_one_that_was_compared_with_a_former_champion_is_not_promoted(
    connection: psycopg.Connection, first: str, waiting: str
) -> None:
    third, _ = promote_candidate(connection, "third")
    with pytest.raises(RegistryConflictError, match=f"compared with {first}, and {third} is champion now"):
        approve(connection, waiting, "x", merge="merge")
    reject_outdated(connection)
    assert read_model_version(connection, waiting).state == "rejected"


def test_a_newer_one_replaces_the_one_that_waited(connection: psycopg.Connection, first: str, waiting: str) -> None:
    newer = let_wait(connection, "third", first, TrainedBatch("w1", A, 1))
    assert [each.version for each in list_awaiting(connection)] == [newer]
    assert read_model_version(connection, waiting).state == "rejected"
    assert [each.batch_id for each in list_waiting_decisions(connection)] == ["w1"]
    assert approve(connection, newer, "yes", merge="merge") == ("w1",)


def test_a_rollback_meanwhile_rejects_it(connection: psycopg.Connection, first: str) -> None:
    second, _ = promote_candidate(connection, "second")
    waiting = let_wait(connection, "third", second)
    set_champion(connection, first, make_recommendations((1, 1, 10, 4.0)), "rolled back")
    reject_outdated(connection)
    assert read_model_version(connection, waiting).state == "rejected"
