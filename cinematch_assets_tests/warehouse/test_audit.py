import psycopg
import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.warehouse.audit import Action, add_audit_entry, list_audit_entries, record_settings
from cinematch_assets.warehouse.champion import set_champion
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.warehouse_rows import (
    count,
    load,
    load_file,
    make_ratings,
    make_recommendations,
    md5_of,
    promote_candidate,
)

pytestmark = pytest.mark.faults("audit")

ADA = Actor("ada", "0123456789", "sensor retraining_sensor")
CHANGES = ("UPDATE ops.audit SET reason = 'x'", "DELETE FROM ops.audit", "TRUNCATE ops.audit")


def entries(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Oldest first: action, subject, reason."""
    return [(each.action, each.subject, each.reason) for each in reversed(list_audit_entries(connection))]


def test_an_entry_says_who_what_why_and_the_server_s_time_and_user(connection: psycopg.Connection) -> None:
    add_audit_entry(connection, Action.RELEASE, "ratings.csv", "the catalogue grew", ADA, rows=3)
    add_audit_entry(connection, Action.ROLLBACK, "run_a_v1", "")
    newest, first = list_audit_entries(connection)
    assert (first.action, first.subject, first.reason, first.details) == (
        "release",
        "ratings.csv",
        "the catalogue grew",
        {"rows": 3},
    )
    assert first.by == ADA
    now = connection.execute("SELECT session_user, clock_timestamp()").fetchone()
    assert now is not None
    assert first.database_user == now[0]
    assert first.at < newest.at < now[1]
    assert newest.reason == "no reason given"
    assert newest.by == Actor.of_process()
    assert list_audit_entries(connection, action=Action.ROLLBACK) == [newest]
    assert list_audit_entries(connection, limit=1) == [newest]


def test_text_from_outside_cannot_move_the_cursor_of_a_terminal(connection: psycopg.Connection) -> None:
    add_audit_entry(connection, Action.RELEASE, "a\x1b[2Jb", "why\r\nnot\0", Actor("ada\x07"))
    (entry,) = list_audit_entries(connection)
    assert (entry.subject, entry.reason, entry.actor) == ("a [2Jb", "why  not", "ada")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", [None, "ml_pipeline"])
def test_no_entry_changes_or_goes(url: str, role: str | None, change: str) -> None:
    with connect(url, user=role) as connection:
        add_audit_entry(connection, Action.RELEASE, "ratings.csv", "x", ADA)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"append-only|permission denied"):
            connection.execute(change.encode())
        assert count(connection, "ops.audit") == 1


def test_time_and_user_are_the_server_s_whatever_is_said(url: str) -> None:
    insert = (
        "INSERT INTO ops.audit (action, subject, actor, reason, at, database_user) "
        "VALUES ('x', 'x', 'x', 'x', '2001-01-01', 'ada')"
    )
    with connect(url, user="ml_pipeline") as connection:
        connection.execute(insert)
        (entry,) = list_audit_entries(connection)
    assert (entry.database_user, entry.at.year > 2001) == ("ml_pipeline", True)


def test_promotion_by_the_gate_and_by_hand(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 10, 4.0, 1)))
    version, _ = promote_candidate(connection, "run", TrainedBatch("w1", md5_of("a"), 1))
    set_champion(connection, version, make_recommendations((1, 1, 30, 4.5)), "why not", Action.ROLLBACK, ADA)
    gate, hand = reversed(list_audit_entries(connection))
    assert (gate.action, gate.subject, gate.reason) == ("promotion", version, "better on the newest rows")
    assert gate.details == {"former": None, "batches": ["w1"]}
    assert (hand.action, hand.subject, hand.reason, hand.by) == ("rollback", version, "why not", ADA)


def test_a_batch_that_promotion_removes(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 10, 4.0, 1)))
    version, _ = promote_candidate(connection, "run", TrainedBatch("w1", md5_of("a"), 1), merge="delete")
    removed = ("batch_removal", "w1", f"{version} was trained on it, and CINEMATCH_MERGE is delete")
    assert entries(connection)[-1] == removed


def test_other_content_is_a_correction_and_the_first_and_the_same_are_none(connection: psycopg.Connection) -> None:
    for content in ("a", "a", "b"):
        load(connection, "w1", make_ratings((1, 10, 4.0, 1)), content)
        load_file(connection, make_ratings((1, 10, 4.0, 1)), content)
    changed = [entry for entry in entries(connection) if entry[1] == "w1"]
    assert changed == [("correction", "w1", "batches/w1.csv has another content")]
    assert ("correction", "ratings", "ratings.csv has another content") in entries(connection)


def test_what_failed_has_no_entry(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 10, 4.0, 1)))
    champion, _ = promote_candidate(connection, "first")
    before = entries(connection)
    connection.execute("DROP TABLE ops.drift_baseline")
    with pytest.raises(psycopg.errors.UndefinedTable):
        promote_candidate(connection, "second", TrainedBatch("w1", md5_of("a"), 1))
    assert entries(connection) == before
    assert [entry[1] for entry in before] == [champion]


def test_settings_are_recorded_when_they_change(connection: psycopg.Connection) -> None:
    defaults = {"CINEMATCH_MERGE": "merge", "CINEMATCH_KEEP_DAYS": 30}
    assert record_settings(connection, "here", defaults, defaults) == {}
    changed = defaults | {"CINEMATCH_MERGE": "delete"}
    for _ in range(2):
        record_settings(connection, "here", changed, defaults, ADA)
    record_settings(connection, "there", changed | {"CINEMATCH_NEW": 1}, defaults | {"CINEMATCH_NEW": 1})
    record_settings(connection, "here", defaults, defaults)
    assert entries(connection) == [
        ("setting_change", "here", "CINEMATCH_MERGE is delete, was merge"),
        ("setting_change", "there", "CINEMATCH_MERGE is delete, was merge"),
        ("setting_change", "here", "CINEMATCH_MERGE is merge, was delete"),
    ]
    assert list_audit_entries(connection)[-1].by == ADA


def test_several_runs_record_one_change_once(url: str) -> None:
    assert workers.finish(*[workers.start(warehouse_jobs.record_one_setting, url) for _ in range(4)]) == [0] * 4
    with connect(url) as connection:
        assert len(entries(connection)) == 1
