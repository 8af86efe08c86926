"""The weekly round keeps what somebody may ask for, and nothing else for ever."""

import os
import time
from pathlib import Path

import pytest

from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_movies_file
from cinematch_assets.pipeline.maintenance import maintain
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import MOVIES, a_platform, drop, rows_of

OLD_S = 40 * 24 * 3600


@pytest.fixture
def platform(tmp_path: Path, database_url: str) -> Platform:
    return a_platform(tmp_path, database_url)


def stored(platform: Platform, key: str, *, age_s: float) -> str:
    platform.store.put_bytes(key, b"content")
    file = Path(platform.store.uri(key).removeprefix("file://"))
    os.utime(file, (time.time() - age_s,) * 2)
    return key


def test_objects_that_nothing_refers_to_go_after_their_time(platform: Platform) -> None:
    old = stored(platform, "reports/batch_w1/old.html", age_s=OLD_S)
    young = stored(platform, "reports/batch_w1/young.html", age_s=60)
    done = maintain(platform)
    assert (platform.store.exists(old), platform.store.exists(young)) == (False, True)
    assert done.deleted_objects == 1


def test_what_the_ledger_refers_to_stays_however_old(platform: Platform) -> None:
    drop(platform, "movies.csv", MOVIES + "10,Heat (1995),Action\n")
    landed = land_table(platform, "movies")
    load_movies_file(platform)
    file = Path(platform.store.uri(landed.key).removeprefix("file://"))
    os.utime(file, (time.time() - OLD_S,) * 2)
    maintain(platform)
    assert platform.store.exists(landed.key)


def test_a_former_content_is_forgotten_when_it_is_old(platform: Platform) -> None:
    keys = []
    for title in ("Heat", "Heat again"):
        drop(platform, "movies.csv", MOVIES + f"10,{title},Action\n")
        keys.append(land_table(platform, "movies").key)
        load_movies_file(platform)
    file = Path(platform.store.uri(keys[0]).removeprefix("file://"))
    os.utime(file, (time.time() - OLD_S,) * 2)
    maintain(platform)
    assert [platform.store.exists(key) for key in keys] == [False, True]


def test_alerts_are_archived_once_however_often_it_runs(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute(
            "INSERT INTO drift_alerts (alert_date, feature_name, drift_score) VALUES"
            " (NOW() - INTERVAL '31 days', 'rating_mean', 0.2), (NOW(), 'rating_mean', 0.1)"
        )
    assert [maintain(platform).archived_alerts for _ in range(2)] == [1, 0]
    assert rows_of(platform, "SELECT drift_score FROM drift_alerts_archive") == [(0.2,)]
    assert rows_of(platform, "SELECT drift_score FROM drift_alerts") == [(0.1,)]
