"""The demo's own parts; packaging/test_wheel.py runs the whole loop."""

from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from cinematch_assets.cli.demo_run import Loop, Stopwatch, _require_same_data
from cinematch_assets.dagster_support.open_platform import with_open_platform
from cinematch_assets.dagster_support.run_actor import launched_by
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.samples.sample import Sample
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


def test_a_home_takes_one_data_set_only(tmp_path: Path) -> None:
    platform = SimpleNamespace(settings=SimpleNamespace(home=tmp_path))
    sample = Sample("ml-100k", tmp_path, "")
    _require_same_data(platform, sample)
    _require_same_data(platform, sample)
    with pytest.raises(CinematchError, match="holds the demo of ml-100k: set CINEMATCH_HOME to another folder"):
        _require_same_data(platform, Sample("synthetic", tmp_path, ""))
