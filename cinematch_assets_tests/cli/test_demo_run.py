"""The demo's own parts; packaging/test_wheel.py runs the whole loop."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from cinematch_assets.cli.demo_run import Loop, Stopwatch, _alone, _require_same_data, _was_interrupted
from cinematch_assets.dagster_support.instance import (
    existing_instance,
    fail_runs_of_ended_demos,
    open_for_this_process,
)
from cinematch_assets.dagster_support.open_platform import with_open_platform
from cinematch_assets.dagster_support.run_actor import launched_by
from cinematch_assets.dagster_support.run_tags import BY, DEMO
from cinematch_assets.dagster_support.runs import runs_under_way
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.samples.sample import Sample
from cinematch_assets.settings import Settings
from cinematch_assets_tests.support.definitions import loaded
from cinematch_assets_tests.support.platforms import MOVIES, drop


def test_laps_of_one_name_add_up() -> None:
    watch = Stopwatch()
    for name in ("a", "b", "a"):
        with watch.lap(name):
            pass
    assert list(watch.laps) == ["a", "b"]
    assert min(watch.laps.values()) >= 0


def test_its_runs_say_who_started_them(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "movies.csv", MOVIES + "1,Heat (1995),Action\n")
    repository = with_open_platform(loaded(), platform).get_repository_def()
    with pytest.raises(
        CinematchError, match="load_catalog failed: There is no ratings"
    ):  # a run that failed says it too
        Loop(platform, instance, repository, Stopwatch()).run_until_idle("movies arrive")
    tags = {"by": "cinematch demo", "cause": "new file", "dagster/sensor_name": "drive_sensor"}
    (found,) = instance.get_runs(dg.RunsFilter(tags=tags))
    assert launched_by(found.tags) == "command cinematch demo"


@pytest.fixture
def _sigint() -> Iterator[None]:
    """As in a terminal; a background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


@pytest.mark.usefixtures("_sigint")
def test_ctrl_c_in_a_step_ends_the_demo_and_is_no_failure(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinematch_assets.pipeline.ingest.load_tables.load_movies_file", interrupt)
    drop(platform, "movies.csv", MOVIES + "1,Heat (1995),Action\n")
    repository = with_open_platform(loaded(), platform).get_repository_def()
    with pytest.raises(KeyboardInterrupt):
        Loop(platform, instance, repository, Stopwatch()).run_until_idle("movies arrive")
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_a_run_that_ctrl_c_kept_from_beginning_does_not_keep_the_next_demo_waiting(
    instance: dg.DagsterInstance,
) -> None:
    left = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED]
    for status in left:
        instance.add_run(dg.DagsterRun("load_catalog", status=status, tags={BY: DEMO}))
    instance.add_run(dg.DagsterRun("load_catalog", status=dg.DagsterRunStatus.NOT_STARTED))  # the daemon starts it
    assert fail_runs_of_ended_demos(instance) == len(left)
    assert [run.tags for run in runs_under_way(instance, "load_catalog")] == [{}]


def test_one_demo_at_a_time_runs_on_a_home(tmp_path: Path) -> None:
    with _alone(tmp_path), pytest.raises(CinematchError, match="a cinematch demo runs on it already"), _alone(tmp_path):
        pass
    with _alone(tmp_path):
        pass


@pytest.mark.usefixtures("_sigint")
@pytest.mark.parametrize("place", ["resource", "step", "nowhere"])
def test_ctrl_c_between_two_steps_is_known_as_well(instance: dg.DagsterInstance, place: str) -> None:
    @dg.resource
    def outside(_: dg.InitResourceContext) -> None:
        if place == "resource":
            interrupt()

    @dg.op(required_resource_keys={"outside"})
    def step() -> None:
        if place == "step":
            interrupt()
        raise ValueError

    @dg.job(resource_defs={"outside": outside})
    def work() -> None:
        step()

    result = work.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert _was_interrupted(result) == (place != "nowhere")


def test_its_instance_starts_no_process_for_output_and_is_the_one_that_dev_shows(
    tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", empty_database_url)
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    settings = Settings.from_env()
    with open_for_this_process(settings) as own, existing_instance(settings) as shown:
        assert shown is not None
        own.add_dynamic_partitions("batch_id", ["batch_w1"])
        assert shown.get_dynamic_partitions("batch_id") == ["batch_w1"]
        assert own.compute_log_manager.__class__.__name__ == "NoOpComputeLogManager"
        assert own.run_monitoring_enabled


def test_a_home_takes_one_data_set_only(tmp_path: Path) -> None:
    platform = SimpleNamespace(settings=SimpleNamespace(home=tmp_path))
    sample = Sample("ml-100k", tmp_path, "")
    _require_same_data(platform, sample)
    _require_same_data(platform, sample)
    with pytest.raises(CinematchError, match="holds the demo of ml-100k: set CINEMATCH_HOME to another folder"):
        _require_same_data(platform, Sample("synthetic", tmp_path, ""))
