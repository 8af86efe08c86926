"""Each fact that people are told is recorded in the transaction that makes it one."""

from collections.abc import Callable
from typing import get_args

import psycopg
import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.values import Condition, DriftAlert, NotificationKind, OutstandingWork
from cinematch_assets.warehouse import champion
from cinematch_assets.warehouse.approval import await_approval, reject_outdated
from cinematch_assets.warehouse.batches import fail_batch
from cinematch_assets.warehouse.conditions import replace_conditions
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.erasures import begin_erasure, finish_erasure
from cinematch_assets.warehouse.landed_files import refuse_file
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.notifications import (
    delete_old_notifications,
    list_notifications,
    record_notification,
    settle_notifications,
)
from cinematch_assets.warehouse.outstanding import replace_outstanding
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    count,
    land,
    load,
    make_artifact,
    make_gate_result,
    make_ratings,
    make_recommendations,
    md5_of,
    promote_candidate,
)

GIVEN_UP = OutstandingWork("batch", "w1", md5_of("a"), "given_up", "7 of 9 rows do not fit", "correct it", attempts=1)
UNLISTED = OutstandingWork("folder", "folder", "", "given_up", "the folder is not shared", "share it")
Fact = Callable[[psycopg.Connection], Callable[[], object]]
"""Prepares a fact, and gives what makes it one."""
LEFT_OUT = OutstandingWork("folder entry", "Ratings.csv.gz", "", "left_out", "a compressed table", "unpack it")
OVER = DriftAlert("rating_mean", 0.121, 0.1, True, "Baseline: 3.540, New: 3.968", 700, 43)
UNDER = DriftAlert("rating_std", 0.045, 0.15, False, "Baseline: 1.070, New: 1.118", 700, 43)


@pytest.fixture
def connection(connection_18: psycopg.Connection) -> psycopg.Connection:
    return connection_18


def told(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return [(each.kind, each.subject) for each in reversed(list_notifications(connection))]


def assess(connection: psycopg.Connection, *alerts: DriftAlert, due: bool = False) -> None:
    write_assessment(connection, "w1", md5_of("a"), alerts, due=due, reason="w1: the reason", evidence={})


def test_a_fact_and_its_notification_are_there_together_or_not_at_all(connection: psycopg.Connection) -> None:
    with connection.transaction():
        record_notification(connection, "drift", "never", "the fact was rolled back")
        raise psycopg.Rollback
    assert told(connection) == []


def refuse(connection: psycopg.Connection) -> Callable[[], object]:
    file = land(connection, "batches/w1.csv", "a")
    return lambda: refuse_file(connection, file, "ratings_buffer", (), counts=None, note="no column", batch_id="w1")


def fail(connection: psycopg.Connection) -> Callable[[], object]:
    file = land(connection, "batches/w1.csv", "a")
    return lambda: fail_batch(connection, "w1", "another fault", file)


def find(*work: OutstandingWork) -> Fact:
    kinds = {each.kind for each in work}
    return lambda connection: lambda: replace_outstanding(connection, kinds, work)


def assess_drifted(connection: psycopg.Connection) -> Callable[[], object]:
    load(connection, "w1", make_ratings((1, 1, 3.0, 1)))
    return lambda: assess(connection, OVER, due=True)


def promote(connection: psycopg.Connection) -> Callable[[], object]:
    load(connection, "w1", make_ratings((1, 1, 3.0, 1)))
    version, final = add_candidate(connection, "first", TrainedBatch("w1", md5_of("a"), 1)), make_artifact("final")
    return lambda: champion.promote(
        connection, version, final, make_gate_result(), over=None, data_size=3, merge="merge"
    )


def reject(connection: psycopg.Connection) -> Callable[[], object]:
    version = add_candidate(connection, "worse")
    return lambda: champion.reject(connection, version, make_gate_result())


def let_wait(connection: psycopg.Connection) -> Callable[[], object]:
    over, version = promote_candidate(connection, "first")[0], add_candidate(connection, "second")
    final = make_artifact("second")
    return lambda: await_approval(connection, version, final, make_gate_result(), over=over, data_size=4, days=7)


def expire(connection: psycopg.Connection) -> Callable[[], object]:
    let_wait(connection)()
    connection.execute("UPDATE ops.model_versions SET expires_at = now() - interval '1 s' WHERE state LIKE 'awaiting%'")
    return lambda: reject_outdated(connection)


def roll_back(connection: psycopg.Connection) -> Callable[[], object]:
    first, _ = promote_candidate(connection, "first")
    return lambda: champion.set_champion(connection, first, make_recommendations((1, 1, 10, 4.5)), "it is better")


def erase(connection: psycopg.Connection) -> Callable[[], object]:
    erasure = begin_erasure(connection, ["f" * 64], "f" * 16, "asked for", Actor("ada"))
    return lambda: finish_erasure(connection, erasure, Actor("ada"))


def last(kind: NotificationKind) -> Fact:
    condition = Condition(f"{kind} lasts", kind, "why", "what to do", None)
    return lambda connection: lambda: replace_conditions(connection, [condition])


FACTS: dict[str, tuple[NotificationKind, Fact]] = {
    "a file is refused": ("file refused", refuse),
    "a batch failed": ("batch failed", fail),
    "work is given up": ("given up", find(GIVEN_UP)),
    "an entry of the folder is left out": ("left out", find(LEFT_OUT)),
    "the folder cannot be listed": ("folder", find(UNLISTED)),
    "a batch has drifted": ("drift", assess_drifted),
    "a candidate is promoted": ("promoted", promote),
    "a candidate is rejected": ("rejected", reject),
    "a candidate awaits approval": ("awaiting approval", let_wait),
    "an approval expired": ("rejected", expire),
    "the champion is rolled back": ("champion changed", roll_back),
    "people were erased": ("erasure", erase),
    "a batch is late": ("batch late", last("batch late")),
    "lists are stale": ("lists stale", last("lists stale")),
    "storage is nearly full": ("storage", last("storage")),
    "a token ends": ("token", last("token")),
    "a sensor or the daemon is silent": ("automation", last("automation")),
}
_REFUSE_ALL = """
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'outbox refused'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON ops.notifications EXECUTE FUNCTION pg_temp.refuse()
"""


def all_rows(connection: psycopg.Connection) -> dict[str, list[str]]:
    """The rows of every table, as text."""
    tables = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('ops', 'public') ORDER BY 1"
    ).fetchall()
    return {
        table: sorted(text for (text,) in connection.execute(f"SELECT t::text FROM {table} AS t").fetchall())  # type: ignore[arg-type]
        for (table,) in tables
    }


@pytest.mark.parametrize("name", FACTS)
def test_no_fact_is_stored_without_its_notification(connection: psycopg.Connection, name: str) -> None:
    kind, prepare = FACTS[name]
    make = prepare(connection)
    before = all_rows(connection)
    connection.execute(_REFUSE_ALL)
    with pytest.raises(psycopg.errors.RaiseException, match="outbox refused"):
        make()
    assert all_rows(connection) == before, "the fact and its notification are one transaction"
    connection.execute("DROP TRIGGER refuse ON ops.notifications")
    make()
    assert list_notifications(connection)[0].kind == kind
    assert all_rows(connection) != before | {"ops.notifications": all_rows(connection)["ops.notifications"]}


def test_every_kind_of_notification_has_its_fact() -> None:
    assert {kind for kind, _ in FACTS.values()} == set(get_args(NotificationKind))


def test_what_lasts_is_told_once_and_again_after_it_had_ended(connection: psycopg.Connection) -> None:
    assert record_notification(connection, "storage", "87 % used", "", about="storage")
    assert not record_notification(connection, "storage", "88 % used", "", about="storage")
    settle_notifications(connection, ["storage"])
    assert record_notification(connection, "storage", "86 % used", "", about="storage")
    assert told(connection) == [("storage", "87 % used"), ("storage", "86 % used")]


def test_a_refused_batch_is_told_once_by_all_who_notice_it_and_without_the_cells_of_its_file(
    connection: psycopg.Connection,
) -> None:
    file = land(connection, "batches/w1.csv", "a")
    reason = "batches/w1.csv: no column userId in its header (found: 77, 31, 2.5)"
    refuse_file(connection, file, "ratings_buffer", (), counts=None, note=reason, batch_id="w1")
    fail_batch(connection, "w1", reason, file)
    replace_outstanding(connection, {"batch"}, [GIVEN_UP])
    (only,) = list_notifications(connection)
    assert (only.kind, only.subject) == ("file refused", "batches/w1.csv is refused")
    assert only.body == "batches/w1.csv: no column userId in its header"
    assert "cinematch rejects list" in only.next_step


def test_a_batch_that_failed_otherwise_is_told_too(connection: psycopg.Connection) -> None:
    fail_batch(connection, "w1", "w1: another fault", land(connection, "batches/w1.csv", "a"))
    assert told(connection) == [("batch failed", "w1 failed")]


def test_work_that_needs_a_person_is_told_and_what_waits_or_runs_is_not(connection: psycopg.Connection) -> None:
    running = OutstandingWork("batch", "w1", md5_of("a"), "running", "a run is under way", "")
    replace_outstanding(connection, {"batch", "folder entry"}, [running])
    assert told(connection) == []
    replace_outstanding(connection, {"batch", "folder entry"}, [GIVEN_UP, LEFT_OUT])
    replace_outstanding(connection, {"batch", "folder entry"}, [GIVEN_UP, LEFT_OUT])
    first = [("given up", "batch w1 is given up"), ("left out", "Ratings.csv.gz is left out")]
    assert told(connection) == first
    replace_outstanding(connection, {"batch", "folder entry"}, [running])  # tried by hand, and the entry was removed
    replace_outstanding(connection, {"batch", "folder entry"}, [GIVEN_UP, LEFT_OUT])
    assert told(connection) == first * 2


def test_an_assessment_is_told_when_something_is_over_its_threshold_or_due(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 3.0, 1)))
    assess(connection, UNDER)
    assert told(connection) == []
    assess(connection, OVER, UNDER)
    assess(connection, OVER, UNDER)
    assess(connection, UNDER, due=True)
    assert told(connection) == [
        ("drift", "w1: retraining is not due, rating_mean over the threshold"),
        ("drift", "w1: retraining is due, nothing over its threshold"),
    ]


def test_changes_of_the_champion_are_told_with_their_reason(connection: psycopg.Connection) -> None:
    first, _ = promote_candidate(connection, "first")
    worse = add_candidate(connection, "worse")
    champion.reject(connection, worse, make_gate_result())
    champion.set_champion(connection, first, make_recommendations((1, 1, 10, 4.5)), "rolled back from nowhere")
    assert told(connection) == [
        ("promoted", f"{first} promoted"),
        ("rejected", f"{worse} rejected, the champion stays"),
        ("champion changed", f"{first} is champion instead of {first}"),
    ]
    assert count(connection, "ops.notifications WHERE body <> ''") == 3


def test_texts_are_kept_plain_in_one_line_and_within_bounds(connection: psycopg.Connection) -> None:
    record_notification(connection, "given up", "a\nb\x00 <b>" + "x" * 300, "y" * 3000)
    (only,) = list_notifications(connection)
    assert only.subject.startswith("a b <b>x")
    assert (len(only.subject), len(only.body)) == (200, 2_000)


def test_old_notifications_are_deleted(connection: psycopg.Connection) -> None:
    for subject in ("old", "new"):
        record_notification(connection, "test", subject, "")
    connection.execute("UPDATE ops.notifications SET recorded_at = now() - interval '31 days' WHERE subject = 'old'")
    assert delete_old_notifications(connection, 30) == 1
    assert told(connection) == [("test", "new")]
