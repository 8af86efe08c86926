"""What needs a person is listed first, each with why, since when and the next step."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cinematch_assets.pipeline.attention import AttentionRow, attention, find_conditions, watch
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import Automation, OutstandingWork, Tick
from cinematch_assets.warehouse.conditions import Freshness
from cinematch_assets.warehouse.notifications import list_notifications
from cinematch_assets.warehouse.outstanding import replace_outstanding
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.warehouse_rows import assess, load, make_ratings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET = Freshness(NOW - timedelta(days=2), None, 100)
ALIVE = Automation((Tick("drive_sensor", NOW - timedelta(seconds=20)),), NOW - timedelta(seconds=30))


def found(freshness: Freshness = QUIET, automation: Automation | None = ALIVE) -> list[tuple[str, str]]:
    return [(each.kind, each.name) for each in find_conditions(freshness, automation, budget_bytes=1000, now=NOW)]


def named(rows: list[AttentionRow], what: str) -> AttentionRow:
    (row,) = (row for row in rows if row.what == what)
    return row


@pytest.mark.parametrize("automation", [ALIVE, None, Automation()], ids=["alive", "unknown", "never ran"])
def test_nothing_is_found_where_nothing_is_wrong(automation: Automation | None) -> None:
    assert found(automation=automation) == []
    assert found(Freshness(None, None, 850), automation) == []


def test_late_batches_stale_lists_and_a_full_database_are_found() -> None:
    late = Freshness(NOW - timedelta(days=8, seconds=1), NOW - timedelta(minutes=61), 851)
    assert found(late) == [
        ("storage", "storage is nearly full"),
        ("batch late", "a batch is late"),
        ("lists stale", "recommendations are stale"),
    ]
    assert found(Freshness(NOW - timedelta(days=8), NOW - timedelta(minutes=59), 0)) == []


def test_a_silent_daemon_is_found_and_its_sensors_are_not_named_beside_it() -> None:
    silent = NOW - timedelta(minutes=6)
    assert found(automation=Automation((Tick("drive_sensor", silent),), silent)) == [
        ("automation", "Dagster's daemon is silent")
    ]


def test_a_sensor_that_is_off_or_silent_is_found() -> None:
    ticks = (Tick("a", NOW), Tick("b", NOW - timedelta(minutes=6)), Tick("c", NOW, is_off=True), Tick("d", None))
    assert found(automation=Automation(ticks, NOW)) == [("automation", "b is silent"), ("automation", "c is off")]


def test_what_needs_a_person_comes_first_and_what_runs_is_left_out(platform: Platform) -> None:
    given_up = OutstandingWork("batch", "w1", "a", "given_up", "7 rows do not fit", "correct it")
    waits = OutstandingWork("batch", "w2", "b", "waiting", "the disk is full", "tried again by itself")
    runs = OutstandingWork("batch", "w3", "c", "running", "a run is under way", "")
    platform.warehouse.run(replace_outstanding, {"batch"}, [runs, waits, given_up])
    rows = attention(platform)
    assert [(row.what, row.needs_a_person) for row in rows] == [
        ("batch w1, given up", True),
        ("batch w2, waiting", False),
    ]
    assert (rows[0].why, rows[0].next_step, rows[0].since is None) == ("7 rows do not fit", "correct it", False)


def test_decisions_and_batches_wait_visibly_while_the_sensors_are_off(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        load(connection, "w1", make_ratings((1, 1, 3.0, 1)))
        assess(connection, "w1", due=True)
        load(connection, "w2", make_ratings((1, 1, 3.0, 1)), "b")
    rows = attention(platform)
    assert not any(row.needs_a_person for row in rows), "a sensor that works looks at them within seconds"
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.retraining_decisions SET decided_at = now() - interval '6 minutes'")
        connection.execute("UPDATE ops.batches SET loaded_at = now() - interval '6 minutes'")
    rows = attention(platform)
    assert all(row.needs_a_person and row.since for row in rows)
    assert "retraining_sensor" in named(rows, "retraining w1").next_step
    assert "drift_report" in named(rows, "assessment w2").next_step


def test_a_channel_that_cannot_be_used_is_shown(tmp_path: Path, database_url_18: str) -> None:
    platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY="nosuch://s3cr3t")
    (row,) = attention(platform)
    assert (row.what, row.next_step) == ("notifications", "run cinematch notify test")
    assert "s3cr3t" not in row.why


def test_a_condition_is_told_and_shown_with_its_time(platform: Platform) -> None:
    dead = Automation((), datetime.now(UTC) - timedelta(minutes=10))
    watch(platform, dead)
    watch(platform, dead)
    (told,) = platform.warehouse.run(list_notifications)
    assert told.subject == "Dagster's daemon is silent"
    assert named(attention(platform, dead), "Dagster's daemon is silent").since == dead.heartbeat_at
    watch(platform, None)
    assert attention(platform) == []
