"""A daemon that is dead is told of by the webserver, once, and one that works is left alone."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.conditions import list_conditions
from cinematch_assets.webserver.daemon_watch import send_if_silent, start_daemon_watch
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.sinks import WebSink, web_sink

DEADLINE_S = 120.0


@pytest.fixture
def sink() -> Iterator[WebSink]:
    with web_sink() as made:
        yield made


@pytest.fixture
def told(tmp_path: Path, database_url_18: str, sink: WebSink) -> Platform:
    return make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=sink.url)


def beat(instance: dg.DagsterInstance, *, minutes_ago: float) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 60 * minutes_ago, "SENSOR", "an id", []))


def test_while_the_daemon_works_it_sends_nothing(told: Platform, sink: WebSink, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert not send_if_silent(lambda: told, instance), "it never ran"
        beat(instance, minutes_ago=1)
        assert not send_if_silent(lambda: told, instance)
    assert sink.text == ""
    assert told.warehouse.run(list_conditions) == []


def test_a_dead_daemon_is_told_of_once(told: Platform, sink: WebSink, tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        beat(instance, minutes_ago=10)
        assert send_if_silent(lambda: told, instance)
        assert send_if_silent(lambda: told, instance)
    assert sink.text.count("no sensor looks at anything") == 1
    assert "start cinematch dev" in sink.text


def test_the_thread_goes_on_after_a_look_that_failed(told: Platform, sink: WebSink, tmp_path: Path) -> None:
    opened: list[bool] = []

    def open_platform() -> Platform:
        opened.append(True)
        if len(opened) == 1:
            raise OSError("the disk is full")
        return told

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        beat(instance, minutes_ago=10)

    def open_instance() -> dg.DagsterInstance:
        return dg.DagsterInstance.local_temp(str(tmp_path))

    ended = start_daemon_watch(open_platform, open_instance, first_s=0.0, look_s=0.05)
    deadline = time.monotonic() + DEADLINE_S
    while "no sensor looks at anything" not in sink.text and time.monotonic() < deadline:
        time.sleep(0.05)
    ended.set()
    for thread in threading.enumerate():
        if thread.name == "daemon-watch":
            thread.join(DEADLINE_S)
    assert "no sensor looks at anything" in sink.text
    assert len(opened) >= 2
