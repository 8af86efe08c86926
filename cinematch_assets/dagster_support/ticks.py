"""Whether sensors and daemon still work, as Dagster's storage knows it.

Here: ticks and the heartbeat. Not here: what is concluded from them (``pipeline.attention``).
"""

import os
from datetime import UTC, datetime

import dagster as dg

from cinematch_assets.settings import Settings
from cinematch_assets.values import Automation, Tick

_OFF, _SENSOR = "STOPPED", "SENSOR"
"""Dagster's own words, for a sensor that was turned off and for what is a sensor."""


def read_automation(instance: dg.DagsterInstance) -> Automation:
    """Read the newest tick of each sensor that was ever evaluated, and the daemon's heartbeat."""
    if instance.is_ephemeral:  # of a single run: nothing evaluates sensors beside it
        return Automation()
    ticks = [
        Tick(state.name, _time(getattr(state.instigator_data, "last_tick_timestamp", None)), state.status.value == _OFF)
        for state in instance.all_instigator_state()
        if state.instigator_type.value == _SENSOR
    ]
    beat = instance.get_daemon_heartbeats().get(_SENSOR)
    return Automation(tuple(sorted(ticks, key=lambda tick: tick.name)), None if beat is None else _time(beat.timestamp))


def find_automation(settings: Settings) -> Automation | None:
    """Read the same from Dagster's storage as a command finds it; None where no Dagster was ever started here."""
    if "DAGSTER_HOME" in os.environ:
        with dg.DagsterInstance.get() as instance:
            return read_automation(instance)
    home = settings.home.resolve() / "dagster"
    if not (home / "dagster.yaml").is_file():
        return None
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return read_automation(instance)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
