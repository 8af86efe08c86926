"""The end-to-end benchmark measures a batch that drifted, and says what grows faster than the data."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import end_to_end, measuring
from benchmarks.end_to_end import BATCH, JOBS, Size, Step, is_wanted, measure, read_kept, write_report
from benchmarks.end_to_end_files import DRIFT, drifted_batch, make_files, spec_of_size, with_titles
from benchmarks.watching import Sample, Use, use_between, watched
from cinematch_assets.samples.synthetic import make_synthetic

Facts = dict[str, dict[str, dict[str, object]]]
OUTCOME: Facts = {
    "batch": {"drift_report": {"retraining_due": True, "reason": "it drifted"}},
    "retraining": {
        "model_metrics": {"promoted": True, "reason": "no worse"},
        "recommendations": {"users": 10, "rows": 100},
    },
}


def test_the_batch_has_new_pairs_and_higher_ratings_in_the_week_after_the_history() -> None:
    ratings, _, truth = make_synthetic(spec_of_size(20_000))
    batch = drifted_batch(ratings, truth, 1_000)
    both = pd.concat([ratings, batch])
    assert not both.duplicated(["userId", "movieId"]).any()
    assert batch["rating"].mean() - ratings["rating"].mean() == pytest.approx(DRIFT, abs=0.15), "5 stars are the most"
    assert batch["timestamp"].min() >= ratings["timestamp"].max()


def test_real_titles_come_first_and_synthetic_ones_get_ids_above_theirs() -> None:
    synthetic = pd.DataFrame({"movieId": [1, 2, 3], "title": ["a", "b", "c"], "genres": ["x", "y", "z"]})
    real = pd.DataFrame({"movieId": [5, 90], "title": ["Real", "Other"], "genres": ["War", "Drama"]})
    named = with_titles(synthetic, real)
    assert named["movieId"].tolist() == [5, 90, 91]
    assert named["title"].tolist() == ["Real", "Other", "c"]
    assert with_titles(synthetic.iloc[:1], real)["title"].tolist() == ["Real"]


def test_files_are_made_once_and_refer_to_movies_of_the_catalogue(tmp_path: Path) -> None:
    titles = tmp_path / "movies.csv"
    titles.write_text('movieId,title,genres\n7,"Seven, The (1990)",War\n')
    files = make_files(tmp_path, 2_000, titles)
    movies, ratings = (pd.read_csv(files.folder / f"{table}.csv") for table in ("movies", "ratings"))
    batch = pd.read_csv(files.folder / "batches" / f"{BATCH}.csv")
    assert (len(movies), len(ratings), len(batch), files.real_titles) == (files.movies, 2_000, files.batch, 1)
    assert movies["title"][0] == "Seven, The (1990)"
    assert np.isin(np.concatenate([ratings["movieId"], batch["movieId"]]), movies["movieId"]).all()
    written = (files.folder / "ratings.csv").stat().st_mtime_ns
    assert make_files(tmp_path, 2_000, titles) == files
    assert (files.folder / "ratings.csv").stat().st_mtime_ns == written


def test_what_a_stretch_used_is_between_its_ends() -> None:
    samples = [Sample(float(at), 100 + 10 * at, 50 - at, 2.0 * at) for at in range(5)]
    assert use_between(samples, 1.0, 3.5) == Use(5.0, 130.0, 49.0, 177.0)


def test_the_processor_time_of_a_process_does_not_vanish_with_it() -> None:
    samples = [Sample(0, 10, 5, 1.0), Sample(1, 10, 5, 9.0), Sample(2, 0, 5, 0.5)]
    assert use_between(samples, 0, 2).processor_s == 8.0


def test_memory_and_processor_time_of_a_process_are_seen(tmp_path: Path) -> None:
    work = """import time
kept, begun = bytearray(b"x") * 200_000_000, time.process_time()
while time.process_time() - begun < 1: pass
"""
    running = subprocess.Popen([sys.executable, "-c", work])
    start = time.time()
    with watched(running.pid, tmp_path) as samples:
        running.wait()
    use = use_between(samples, start, time.time())
    assert 200 < use.process_mb < 400
    assert use.server_mb == 0
    assert use.processor_s > 0.7


def test_the_table_says_what_grows_faster_than_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    write_report([_size(1_000, {"slow": 1.0, "fast": 1.0}), _size(10_000, {"slow": 15.0, "fast": 5.0})])
    cells = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:6]]
    rows = {line[2].strip(): line[-2].strip() for line in cells}
    assert rows["slow"] == "**1.50**"
    assert rows["fast"] == "0.50"
    text = (tmp_path / "end_to_end.md").read_text()
    assert "Over it from 1,000: slow (load) 1.50." in text
    assert "drift: it drifted." in text


def test_too_much_memory_no_drift_and_no_merge_are_not_wanted() -> None:
    assert is_wanted(_size(1, {"x": 1.0}))
    assert not is_wanted(_size(1, {"x": 1.0}, peak_mb=6_001))
    for run, asset, value in (("batch", "drift_report", "retraining_due"), ("retraining", "model_metrics", "promoted")):
        facts = {name: {key: dict(each) for key, each in assets.items()} for name, assets in OUTCOME.items()}
        facts[run][asset][value] = False
        assert not is_wanted(_size(1, {"x": 1.0}, facts=facts)), value


@pytest.mark.slow
def test_every_asset_is_measured_and_the_figures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end, "CACHE", tmp_path)
    for name in ("CINEMATCH_HOME", "DAGSTER_HOME", "CINEMATCH_STORAGE_BUDGET_MB", "DAGSTER_DG_UPDATE_CHECK_ENABLED"):
        monkeypatch.setenv(name, "")  # the benchmark sets them: they end with the test
    size = measure(make_files(tmp_path, 26_000, None))
    assert size.facts["batch"]["drift_report"]["retraining_due"], size.facts["batch"]["drift_report"]
    assert size.facts["retraining"]["model_metrics"]["reason"], "of so few rows it may be either decision"
    assert 100 < size.peak_mb < end_to_end.MEMORY_LIMIT_MB
    assert {each.run for each in size.steps} == {job.name for job in JOBS}
    assert all(each.use.total_mb > 50 for each in size.steps if each.seconds > 0.5)
    assert read_kept(26_000) == size


def _size(ratings: int, processor_s: dict[str, float], *, peak_mb: float = 100, facts: Facts | None = None) -> Size:
    steps = [Step("load", name, seconds, Use(seconds, peak_mb, 0, peak_mb)) for name, seconds in processor_s.items()]
    return Size(ratings, 10, 20, 0, 40, "2026-01-01 00:00", steps, facts or OUTCOME, complete=True)
