"""The demo's own parts, and once the whole loop."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cinematch_assets.cli.demo_run import Stopwatch, _require_same_data
from cinematch_assets.errors import CinematchError
from cinematch_assets.samples.sample import Sample
from cinematch_assets_tests.support.dagster_ui import run
from cinematch_assets_tests.support.servers import short_folder


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


@pytest.mark.slow
def test_the_demo_ends_with_a_promoted_model_and_recommendations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_STORE", "s3://elsewhere/of/production")
    with short_folder() as folder:
        home = folder / "home"
        done = run(home, "demo", "--data", "synthetic:30000", timeout_s=280)
        assert done.returncode == 0, done.stderr
        assert "CINEMATCH_STORE is set and ignored" in done.stderr
        assert "batch_w3 arrives" in done.stdout
        assert "predicted rating" in done.stdout
        monkeypatch.delenv("CINEMATCH_STORE")
        facts = json.loads(run(home, "status", "--json").stdout)
        assert facts["champion"]["state"] == "promoted"
        run(home, "stop")
