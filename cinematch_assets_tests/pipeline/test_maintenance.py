"""Maintenance keeps what rows refer to, and deletes the rest after its time."""

import os
import time
from pathlib import Path

import pytest

from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import MOVIES, load_table, make_platform, rows_of

OLD_S = 40 * 24 * 3600


@pytest.fixture
def platform(tmp_path: Path, database_url: str) -> Platform:
    """A platform on each Postgres version."""
    return make_platform(tmp_path, database_url)


def store_object(platform: Platform, key: str, *, age_s: float) -> str:
    platform.store.put_bytes(key, b"content")
    file = Path(platform.store.uri(key).removeprefix("file://"))
    os.utime(file, (time.time() - age_s,) * 2)
    return key


def test_unreferenced_objects_are_deleted_when_they_are_old(platform: Platform) -> None:
    old = store_object(platform, "reports/batch_w1/old.html", age_s=OLD_S)
    young = store_object(platform, "reports/batch_w1/young.html", age_s=60)
    done = run_maintenance(platform)
    assert (platform.store.exists(old), platform.store.exists(young)) == (False, True)
    assert done.deleted_objects == 1


def test_objects_that_the_ledger_refers_to_stay(platform: Platform) -> None:
    landed = load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n").file
    file = Path(platform.store.uri(landed.store_key).removeprefix("file://"))
    os.utime(file, (time.time() - OLD_S,) * 2)
    run_maintenance(platform)
    assert platform.store.exists(landed.store_key)


def test_a_replaced_content_is_deleted_when_it_is_old(platform: Platform) -> None:
    contents = [MOVIES + f"10,{title},Action\n" for title in ("Heat", "Heat again")]
    keys = [load_table(platform, "movies", content).file.store_key for content in contents]
    file = Path(platform.store.uri(keys[0]).removeprefix("file://"))
    os.utime(file, (time.time() - OLD_S,) * 2)
    run_maintenance(platform)
    assert [platform.store.exists(key) for key in keys] == [False, True]


def test_alerts_are_archived_once(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute(
            "INSERT INTO drift_alerts (alert_date, feature_name, drift_score) VALUES"
            " (NOW() - INTERVAL '31 days', 'rating_mean', 0.2), (NOW(), 'rating_mean', 0.1)"
        )
    assert [run_maintenance(platform).archived_alerts for _ in range(2)] == [1, 0]
    assert rows_of(platform, "SELECT drift_score FROM drift_alerts_archive") == [(0.2,)]
    assert rows_of(platform, "SELECT drift_score FROM drift_alerts") == [(0.1,)]
