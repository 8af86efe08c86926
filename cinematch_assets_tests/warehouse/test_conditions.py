from dataclasses import replace

import psycopg

from cinematch_assets.values import Condition
from cinematch_assets.warehouse.conditions import list_conditions, read_freshness, replace_conditions
from cinematch_assets.warehouse.notifications import list_notifications
from cinematch_assets_tests.support.warehouse_rows import load, make_ratings, promote_candidate, read_row_versions

FULL = Condition("storage is nearly full", "storage", "over 85 %", "run maintain", None)


def test_a_condition_is_told_once_while_it_lasts_and_again_when_it_comes_back(connection: psycopg.Connection) -> None:
    replace_conditions(connection, [FULL])
    since = list_conditions(connection)[0].since
    before = read_row_versions(connection, "ops.conditions")
    replace_conditions(connection, [FULL])
    assert read_row_versions(connection, "ops.conditions") == before
    replace_conditions(connection, [replace(FULL, reason="over 90 %")])
    assert list_conditions(connection) == [replace(FULL, reason="over 90 %", since=since)]
    assert len(list_notifications(connection)) == 1
    replace_conditions(connection, [])
    assert list_conditions(connection) == []
    replace_conditions(connection, [FULL])
    assert [each.kind for each in list_notifications(connection)] == ["storage", "storage"]


def test_freshness_knows_the_newest_batch_and_unpublished_lists(connection: psycopg.Connection) -> None:
    empty = read_freshness(connection)
    assert (empty.newest_batch_at, empty.lists_stale_since) == (None, None)
    assert empty.used_bytes > 2**20
    load(connection, "w1", make_ratings((1, 1, 3.0, 1)))
    promote_candidate(connection, "first")
    fresh = read_freshness(connection)
    assert fresh.newest_batch_at is not None
    assert fresh.lists_stale_since is not None
    assert fresh.lists_stale_since >= fresh.newest_batch_at
