"""Ticks and the heartbeat, as Dagster itself writes them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._daemon.types import DaemonHeartbeat

from cinematch_assets.dagster_support.ticks import find_automation, read_automation
from cinematch_assets.settings import Settings
from cinematch_assets.values import Automation, Tick


def add_sensor(instance: dg.DagsterInstance, name: str, status: InstigatorStatus, at: float | None) -> None:
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all"), name)
    data = SensorInstigatorData(last_tick_timestamp=at)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, data))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that stores ticks, which the one in memory does not."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def test_the_newest_tick_of_each_sensor_and_the_daemon_s_heartbeat_are_read(instance: dg.DagsterInstance) -> None:
    assert read_automation(instance) == Automation()
    add_sensor(instance, "on", InstigatorStatus.RUNNING, 1_000.0)
    add_sensor(instance, "off", InstigatorStatus.STOPPED, None)
    instance.add_daemon_heartbeat(DaemonHeartbeat(2_000.0, "SENSOR", "some-id", []))
    assert read_automation(instance) == Automation(
        (Tick("off", None, is_off=True), Tick("on", datetime.fromtimestamp(1_000, UTC))),
        datetime.fromtimestamp(2_000, UTC),
    )


def test_where_no_dagster_was_started_nothing_is_known(tmp_path: Path) -> None:
    assert find_automation(Settings.from_env({"CINEMATCH_HOME": str(tmp_path)})) is None
