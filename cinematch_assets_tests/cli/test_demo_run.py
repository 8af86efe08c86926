"""The demo's own parts; packaging/test_wheel.py runs the whole loop."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cinematch_assets.cli.demo_run import Stopwatch, _require_same_data
from cinematch_assets.errors import CinematchError
from cinematch_assets.samples.sample import Sample


def test_laps_of_one_name_add_up() -> None:
    watch = Stopwatch()
    for name in ("a", "b", "a"):
        with watch.lap(name):
            pass
    assert list(watch.laps) == ["a", "b"]
    assert min(watch.laps.values()) >= 0


def test_a_home_takes_one_data_set_only(tmp_path: Path) -> None:
    platform = SimpleNamespace(settings=SimpleNamespace(home=tmp_path))
    sample = Sample("ml-100k", tmp_path, "")
    _require_same_data(platform, sample)
    _require_same_data(platform, sample)
    with pytest.raises(CinematchError, match="holds the demo of ml-100k: set CINEMATCH_HOME to another folder"):
        _require_same_data(platform, Sample("synthetic", tmp_path, ""))
