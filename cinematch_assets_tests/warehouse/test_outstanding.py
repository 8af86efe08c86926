"""Outstanding work is a row each; a look at which nothing changed writes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cinematch_assets.values import OutstandingWork
from cinematch_assets.warehouse.outstanding import list_outstanding, replace_outstanding
from cinematch_assets_tests.support.warehouse_rows import read_row_versions

SOON = datetime.now(UTC) + timedelta(seconds=30)
BATCH = OutstandingWork("batch", "batch_w1", "a" * 32, "running", "a run is under way", "nothing to do")
WAITS = OutstandingWork(
    "batch", "batch_w2", "b" * 32, "waiting", "the disk is full", "tried again", attempts=2, retry_at=SOON
)
GIVEN_UP = OutstandingWork("model", "model", "c" * 32, "given_up", "constant ratings", "drop more ratings", attempts=1)


def stored(connection: psycopg.Connection) -> list[OutstandingWork]:
    return [replace(each, since=None) for each in list_outstanding(connection)]


def test_what_needs_a_person_comes_first(connection: psycopg.Connection) -> None:
    assert list_outstanding(connection) == []
    replace_outstanding(connection, {"batch", "model"}, [BATCH, WAITS, GIVEN_UP])
    assert stored(connection) == [GIVEN_UP, WAITS, BATCH]
    assert [each.needs_a_person for each in list_outstanding(connection)] == [True, False, False]


def test_what_is_done_disappears_and_other_kinds_stay(connection: psycopg.Connection) -> None:
    replace_outstanding(connection, {"batch", "model"}, [BATCH, WAITS, GIVEN_UP])
    replace_outstanding(connection, {"batch"}, [WAITS])
    assert stored(connection) == [GIVEN_UP, WAITS]
    replace_outstanding(connection, {"batch"}, [])
    assert stored(connection) == [GIVEN_UP]


def test_nothing_is_written_when_nothing_changed_so_that_a_read_only_database_does_not_stop_it(
    connection: psycopg.Connection,
) -> None:
    replace_outstanding(connection, {"batch"}, [BATCH, WAITS])
    before = read_row_versions(connection, "ops.outstanding_work")
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        replace_outstanding(connection, {"batch"}, [BATCH, WAITS])
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connection.transaction():
            replace_outstanding(connection, {"batch"}, [BATCH])
    assert read_row_versions(connection, "ops.outstanding_work") == before


def test_it_is_outstanding_since_its_content_came(connection: psycopg.Connection) -> None:
    replace_outstanding(connection, {"batch"}, [BATCH])
    (first,) = list_outstanding(connection)
    replace_outstanding(connection, {"batch"}, [replace(BATCH, state="waiting", attempts=1)])
    (second,) = list_outstanding(connection)
    assert (second.state, second.since) == ("waiting", first.since)
    replace_outstanding(connection, {"batch"}, [replace(BATCH, content="d" * 32)])
    (third,) = list_outstanding(connection)
    assert third.since is not None
    assert first.since is not None
    assert third.since > first.since


def test_a_kind_that_the_caller_does_not_answer_for_is_a_bug(connection: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="does not answer"):
        replace_outstanding(connection, {"batch"}, [GIVEN_UP])
