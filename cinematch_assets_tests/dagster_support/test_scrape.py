"""Warehouse and Dagster's storage are read apart: one that is down hides nothing of the other."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy.exc import OperationalError

from cinematch_assets.dagster_support.scrape import read_scrape
from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.pipeline.monitoring.metric_families import exposition
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import Automation
from cinematch_assets.warehouse.warehouse import Warehouse


def without_server(platform: Platform) -> Platform:
    """The platform, with no server at its database's address."""
    return replace(platform, warehouse=Warehouse("postgresql://user:s3cret@127.0.0.1:9/none"))


def no_dagster() -> Automation | None:
    raise OperationalError("SELECT 1", {}, Exception("connection refused"))


def test_a_warehouse_that_is_down_is_zero_and_no_error(
    platform: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[Exception] = []
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", "an id", []))
        scrape = read_scrape(
            lambda: without_server(platform), lambda: read_automation(instance), on_fault=faults.append
        )
    text = exposition(scrape)[0].decode()
    assert "cinematch_up 0.0\n" in text
    assert "cinematch_dagster_up 1.0\n" in text
    assert "cinematch_daemon_heartbeat_age_seconds " in text
    assert len(faults) == 1
    assert "127.0.0.1:9" in caplog.text
    assert "s3cret" not in text + caplog.text + str(faults[0])


def test_dagster_s_storage_that_is_down_leaves_the_warehouse(platform: Platform) -> None:
    faults: list[Exception] = []
    text = exposition(read_scrape(lambda: platform, no_dagster, on_fault=faults.append))[0].decode()
    assert "cinematch_up 1.0\n" in text
    assert "cinematch_dagster_up 0.0\n" in text
    assert "cinematch_database_size_bytes " in text
    assert len(faults) == 1


def test_a_platform_without_dagster_is_not_one_whose_dagster_is_down(platform: Platform) -> None:
    text = exposition(read_scrape(lambda: platform, lambda: None))[0].decode()
    assert "\ncinematch_dagster_up " not in text


def test_the_warehouse_is_read_again_at_each_scrape(platform: Platform) -> None:
    places = iter([without_server(platform), platform])
    now = datetime.now(UTC)
    states = [read_scrape(lambda: next(places), lambda: None, now=now).facts is not None for _ in range(2)]
    assert states == [False, True]
