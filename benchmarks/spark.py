"""Our trainers of predicted ratings beside Spark's, on one split: accuracy, time, processor time, memory.

    python -m benchmarks.spark [ml-25m-slice 1m 24m] [--master local-cluster[2,1,1024]] [--only spark]

Each trainer has a process of its own, as in ``benchmarks.recommender``, whose data sets these are; lists are not
measured, because those signals are fitted by the same code whichever the trainer. Spark is started as the platform
starts it, so its time has its start, the rows on their way, both fits and the factors on their way back. On a busy
machine processor seconds are what can be compared.
"""

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.measuring import RESULTS, report
from benchmarks.recommender.data import DATA, prepare
from cinematch_assets.dagster_support.spark_pipes import with_spark_outside_runs
from cinematch_assets.pipeline.models.spark_environment import SparkUnavailableError, require_spark
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.config import RecommenderConfig, SparkAlsConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.model import choose_method
from cinematch_assets.recommender.rating_prediction.als_table import fit_als_table
from cinematch_assets.recommender.rating_prediction.bayesian_fm import fit_bayesian_fm
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.rating_prediction.residual_als import fit_residual_table
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store

SEED = 20_251_220
CACHE = Path(__file__).parent / "recommender" / ".cache"
TRAINERS = ("biases", "ours", "our ALS", "spark")
POLL_S = 0.1
KEPT = RESULTS / "spark.json"
"""Each row with its day and load, so that one data set can be measured again without the others."""


class Usage:
    """Processor seconds and peak memory of this process and of everything it started."""

    def __init__(self) -> None:
        self.peak_own = self.peak_started = 0
        self._seconds: dict[int, float] = {}
        self._process = psutil.Process()
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.look()
            time.sleep(POLL_S)

    def look(self) -> None:
        """Add up what there is now; what ended has what it had when it was last seen."""
        with self._lock:
            started = 0
            for process in (self._process, *self._process.children(recursive=True)):
                try:
                    times, memory = process.cpu_times(), process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self._seconds[process.pid] = times.user + times.system
                started += 0 if process.pid == self._process.pid else memory
            self.peak_own = max(self.peak_own, self._process.memory_info().rss)
            self.peak_started = max(self.peak_started, started)

    def seconds(self) -> float:
        """Processor seconds so far."""
        self.look()
        return sum(self._seconds.values())


def fit(name: str, train: Ratings, catalogue: Catalogue, master: str) -> tuple[RatingTable, str]:
    """The rating table of one trainer, and what there is to say about it."""
    config = RecommenderConfig()
    if name == "biases":
        from cinematch_assets.recommender.config import BiasConfig

        return fit_bias(train, catalogue, BiasConfig()), "damped biases alone"
    if name == "our ALS" or (name == "ours" and choose_method(len(train), config)[0] == "als"):
        table = fit_als_table(train, catalogue, config.als, np.random.default_rng(SEED))
        return table, f"{config.als.factors} factors, {config.als.sweeps} sweeps"
    if name == "ours":
        table = fit_bayesian_fm(train, catalogue, config, np.random.default_rng(SEED))
        return table, "Bayesian factorization machine, by the default work budget"
    home = CACHE / "spark"
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings.from_env(
        {"CINEMATCH_HOME": str(home), "CINEMATCH_TRAINER": "spark", "CINEMATCH_SPARK_MASTER": master}
    )
    store = open_store(settings.store_url, scratch=home / "staging")
    platform = with_spark_outside_runs(Platform(settings, None, store, None))  # type: ignore[arg-type]  neither is used
    assert platform.residual_trainer is not None
    spark = SparkAlsConfig()
    table, computed_by = fit_residual_table(train, catalogue, spark, SEED, platform.residual_trainer)
    versions = ", ".join(f"{program} {version}" for program, version in computed_by.items())
    how = (
        f"{spark.factors} factors, λ {spark.ridge_per_rating:g}, {spark.sweeps} sweeps after {spark.holdout_sweeps} "
        "without held-out ratings"
    )
    return table, f"{how}; {spark.blocks(len(train))} blocks; {versions}; {master}"


def measure(name: str, data: str, master: str) -> dict[str, object]:
    """Fit and measure in this process; kernels are compiled before, as in the life of an installation they are."""
    prepared = prepare(data, CACHE)
    if name != "spark":
        few = prepared.train.where(np.arange(len(prepared.train)) % max(1, len(prepared.train) // 2_000) == 0)
        fit(name, few, prepared.catalogue, master)
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("cinematch_assets").addHandler(handler)
    logging.getLogger("cinematch_assets").setLevel(logging.INFO)
    usage = Usage()
    before, began = usage.seconds(), time.perf_counter()
    table, note = fit(name, prepared.train, prepared.catalogue, master)
    wall, processor = time.perf_counter() - began, usage.seconds() - before
    found = table.predict(prepared.test.users, prepared.test.movies)
    error = found.errors(prepared.test.ratings)
    inside = None if found.half_width is None else float(np.mean(np.abs(error) <= found.half_width))
    seconds = [line for line in lines if re.search(r"done in|seconds", line)]
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "inside": inside,
        "wall": wall,
        "processor": processor,
        "own_mb": usage.peak_own / 1e6,
        "started_mb": usage.peak_started / 1e6,
        "note": note,
        "phases": seconds if name == "spark" else [],
        "about": f"{prepared.about}: {len(prepared.train):,} training and {len(prepared.test):,} test rows",
    }


def report_all(kept: Mapping[str, Any]) -> None:
    """Write the table of everything measured so far: what this run did not ask for stays as it was."""
    rows, notes = [], []
    for data in DATA:
        if data in kept:
            notes.append(f"* {data}: {kept[data]}")
        for name in TRAINERS:
            if one := kept.get(f"{data} {name}"):
                rows.append(tuple(one["row"]))
                notes += [f"* {data}, {name}: {one['note']}", *(f"  * {line}" for line in one["phases"])]
    header = ("data", "trainer", "RMSE", "MAE", "in 80 % interval", "wall s", "processor s", "MB", "Spark's MB")
    report("spark", "Predicted ratings: our trainers and Spark's", header, rows, notes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["1m"], help=f"of {', '.join(DATA)}")
    parser.add_argument("--master", default="local-cluster[2,1,1024]")
    parser.add_argument("--only", action="append", choices=TRAINERS)
    parser.add_argument("--one", choices=TRAINERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.data[0], options.master)))
        return 0
    try:
        require_spark(Settings.from_env({"CINEMATCH_SPARK_MASTER": options.master}))
    except SparkUnavailableError as missing:
        sys.exit(str(missing))
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for data in options.data:
        for name in options.only or TRAINERS:
            command = [sys.executable, "-m", "benchmarks.spark", data, "--master", options.master, "--one", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name} on {data}:\n{done.stderr[-3_000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
            inside = "" if found["inside"] is None else f"{found['inside']:.1%}"
            row = (
                data, name, f"{found['rmse']:.4f}", f"{found['mae']:.4f}", inside, f"{found['wall']:,.1f}",
                f"{found['processor']:,.1f}", f"{found['own_mb']:,.0f}", f"{found['started_mb']:,.0f}",
            )  # fmt: skip
            print(" ".join(row), file=sys.stderr)
            when = f"{datetime.now().astimezone():%Y-%m-%d}, load {os.getloadavg()[2]:.1f}"
            kept[f"{data} {name}"] = {
                "row": row,
                "note": f"{found['note']}; {when}",
                "phases": found["phases"],
            }
            kept[data] = found["about"]
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            report_all(kept)
    print(f"written to {RESULTS / 'spark.md'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
