"""What 10, 100 and 300 weekly batches cost: sensors, status, page, /metrics, the UI's partitions, the daemon's memory.

    python -m benchmarks.many_batches [--sizes 10 100 300] [--watch-s 300] [--without-dev]

One home grows from size to size. Batches go in by the platform's own functions (landing, loading, assessment,
registry, promotion with its merge every fifth batch), without training: models are rows of the registry. In Dagster's
storage each batch has its partition, a run with the sensor's tags, its log and its materializations. At each size this
process evaluates sensors and commands, and a real ``cinematch dev`` answers for the UI and the daemon. The exit code is
1 when something takes more than twice as long at the largest size as at the smallest, and 0.2 s more.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import psutil

from benchmarks.measuring import report
from cinematch_assets.cli.status_tables import read_status
from cinematch_assets.dagster_support.instance import prepare_home
from cinematch_assets.dagster_support.monitoring_page import read_page_facts
from cinematch_assets.dagster_support.scrape import read_scrape
from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.pipeline.monitoring.metric_families import exposition
from cinematch_assets.pipeline.monitoring.page import STATISTICS, render
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.settings import Settings
from cinematch_assets.table_names import BATCHES
from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse.batch_performance import Scores, write_batch_performance
from cinematch_assets.warehouse.batches import Batch, mark_batch_reported, read_stored_batch
from cinematch_assets.warehouse.champion import promote, read_champion
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.embedded import stop_server
from cinematch_assets.warehouse.model_registry import Artifact, GateResult, TrainedBatch, register_candidate
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets_tests.support.dagster_ui import Dev, dev
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import drop_history, load_table, take_in_history
from cinematch_assets_tests.support.servers import short_folder

USERS, MOVIES, ROWS_PER_BATCH = 400, 300, 200
BATCHES_PER_VERSION = 5
LOG_LINES = 40
"""Events of a run of ``ingest_batch`` beside its materializations: what one has in the demo."""
ROUNDS = 5
MAX_GROWTH, NOTICEABLE_S = 2.0, 0.2
BATCH_ASSETS = ("raw_ratings_batch", "ratings_buffer", "drift_report")
SENSORS = ("drive_sensor", "retraining_sensor", "notification_sensor")
PARTITIONS = """query PartitionHealthQuery($assetKey: AssetKeyInput!) {
    assetNodeOrError(assetKey: $assetKey) { ... on AssetNode {
        id
        partitionKeysByDimension { name type partitionKeys }
        assetPartitionStatuses { ... on DefaultPartitionStatuses {
            materializedPartitions materializingPartitions failedPartitions
        } }
    } }
}"""
"""As Dagster's UI sends it for the page of a partitioned asset, without what is for time and several dimensions."""


@dataclass(frozen=True)
class Home:
    """A platform and Dagster's instance, both on the embedded server."""

    platform: Platform
    instance: dg.DagsterInstance
    random: np.random.Generator

    @property
    def batches(self) -> int:
        """How many it has."""
        return len(self.instance.get_dynamic_partitions("batch_id"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 300], help="numbers of batches, rising")
    parser.add_argument("--watch-s", type=float, default=300.0, help="how long the daemon's memory is watched")
    parser.add_argument("--without-dev", action="store_true", help="leave out the UI and the daemon")
    chosen = parser.parse_args()
    measured = {}
    logging.getLogger("dagster").setLevel(logging.WARNING)
    with short_folder() as folder, opened(folder / "home") as home:
        for size in chosen.sizes:
            grow(home, size)
            print(f"{size} batches are there", file=sys.stderr)
            measured[size] = measure(home)
            for name, seconds in measured[size].items():
                print(f"{size} batches: {name}: {1000 * seconds:.0f} ms", file=sys.stderr)
            measured[size] |= {} if chosen.without_dev else measure_dev(home, chosen.watch_s)
    sizes = list(measured)
    names = list(measured[sizes[0]])
    rows = [(name, *(_shown(name, measured[size][name]) for size in sizes)) for name in names]
    notes = [
        f"Times are the shortest of {ROUNDS}.",
        f"A batch has {ROWS_PER_BATCH} rows; after every {BATCHES_PER_VERSION}th there is a new version.",
        "`cinematch dev` runs on the same home: its own ticks and scrapes are among what is measured.",
    ]
    report("many_batches", "What many batches cost", ("what", *(f"{size} batches" for size in sizes)), rows, notes)
    grown = [name for name in names if _has_grown(name, measured[sizes[0]][name], measured[sizes[-1]][name])]
    print(f"grows: {', '.join(grown)}" if grown else "nothing grows", file=sys.stderr)
    return int(bool(grown))


def _shown(name: str, value: float) -> str:
    is_time = "MiB" not in name and not name.startswith("ticks")
    return f"{1000 * value:.0f} ms" if is_time else f"{value:.0f}"


def _has_grown(name: str, first: float, last: float) -> bool:
    return "ticks" not in name and "MiB" not in name and last > MAX_GROWTH * first and last - first > NOTICEABLE_S


@contextmanager
def opened(path: Path) -> Iterator[Home]:
    """Make a home with a catalogue, a history and a champion."""
    os.environ["CINEMATCH_HOME"] = str(path)
    settings = Settings.from_env()
    platform = Platform.open(settings)
    try:
        drop_history(platform, users=USERS, movies=MOVIES, share=0.1)
        take_in_history(platform)
        with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
            home = Home(platform, instance, np.random.default_rng(0))
            _do_not_wait_for_the_disk(platform)
            _promote(home, [])
            yield home
    finally:
        stop_server(settings.home.resolve())


def _do_not_wait_for_the_disk(platform: Platform) -> None:
    """Commit without waiting: filling is thousands of small transactions, and only reading is measured."""
    with platform.warehouse.connect() as connection:
        connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("SELECT pg_reload_conf()")


def grow(home: Home, size: int) -> None:
    """Add batches until there are so many; every fifth is followed by a version that was trained on the last five."""
    waiting: list[Batch] = []
    for number in range(home.batches + 1, size + 1):
        waiting.append(_add_batch(home, number))
        if number % BATCHES_PER_VERSION == 0:
            _promote(home, waiting)
            waiting.clear()


def _add_batch(home: Home, number: int) -> Batch:
    """Land, load and assess a batch, and note in Dagster's storage what a run of ``ingest_batch`` leaves there."""
    name = f"batch_w{number}"
    pairs = home.random.choice(USERS * MOVIES, ROWS_PER_BATCH, replace=False)
    ratings = pd.DataFrame({"userId": pairs // MOVIES + 1, "movieId": pairs % MOVIES + 1})
    ratings["rating"] = home.random.integers(1, 11, ROWS_PER_BATCH) / 2
    ratings["timestamp"] = 1_100_000_000 + 604_800 * number + np.arange(ROWS_PER_BATCH)
    ratings.loc[0, "rating"] = 7.0  # one for the quarantine
    platform = home.platform
    load_table(platform, f"{BATCHES}/{name}", ratings)
    with platform.warehouse.connect() as connection:
        stored = read_stored_batch(connection, name)
        champion = read_champion(connection)
        assert stored is not None
        assert champion is not None
        scores = home.random.uniform(0, 0.12, len(STATISTICS))
        alerts = [
            DriftAlert(statistic, score, 0.1, score > 0.1, "Baseline: 3.540, New: 3.968", 10_000, ROWS_PER_BATCH)
            for statistic, score in zip(STATISTICS, scores, strict=True)
        ]
        evidence = {"null_spread": {"bounds": dict.fromkeys(STATISTICS, 0.11)}, "figures": [0.123456789] * 100}
        reason = f"{name}: within what resampled users of the baseline give"
        write_assessment(connection, name, stored.md5, alerts, due=False, reason=reason, evidence=evidence)
        mark_batch_reported(connection, name, stored.md5)
        measured = Scores(stored.rows, champion.version, 0.9, 0.7)
        write_batch_performance(connection, name, stored.md5, measured, None)
    _record_run(home.instance, name, stored.md5)
    return stored


def _record_run(instance: dg.DagsterInstance, batch: str, md5: str) -> None:
    """A finished run with the tags of the sensor, its log lines and its materializations."""
    instance.add_dynamic_partitions("batch_id", [batch])
    tags = {
        "batch": batch,
        "cause": "new file",
        "cinematch/batch": f"{batch}:{md5}",
        "dagster/partition": batch,
        "dagster/run_key": f"{batch}:{md5}:1",
        "dagster/sensor_name": "drive_sensor",
    }
    run = dg.DagsterRun(
        job_name="ingest_batch", run_id=str(uuid.uuid4()), tags=tags, status=dg.DagsterRunStatus.STARTED
    )
    instance.add_run(run)
    for number in range(LOG_LINES):
        instance.report_engine_event(f"{batch}: phase {number} took 0.1 s", run)
    for asset in BATCH_ASSETS:
        made = dg.AssetMaterialization(asset, partition=batch, metadata={"rows": ROWS_PER_BATCH, "md5": md5})
        instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
                job_name=run.job_name,
                event_specific_data=_materialization_data(made),
            ),
            run.run_id,
        )
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name=run.job_name), run.run_id
    )


def _materialization_data(made: dg.AssetMaterialization) -> Any:
    from dagster._core.events import StepMaterializationData

    return StepMaterializationData(made)


def _promote(home: Home, batches: list[Batch]) -> None:
    """Register a version that learned from these batches, make it champion, publish its lists."""
    figures = dict.fromkeys(("rmse", "mae", "precision_at_10", "catalogue_ndcg_at_10", "coverage"), 0.5)
    metrics = figures | {"baselines": {name: {"rmse": 0.95, "mae": 0.75} for name in ("mean", "bias_only", "popular")}}
    evidence = {"reason": "better on the newest rows", "paired": {str(n): 0.123456789 for n in range(100)}}
    run = uuid.uuid4().hex
    artifact = Artifact(f"models/{run}", hashlib.sha256(run.encode()).hexdigest(), 1_000, FORMAT)
    trained = [TrainedBatch(each.batch_id, each.md5, each.rows) for each in batches]
    places = pd.DataFrame({"userId": np.repeat(np.arange(1, USERS + 1), 10), "rank": np.tile(np.arange(1, 11), USERS)})
    lists = places.assign(movieId=home.random.integers(1, MOVIES + 1, len(places)), score=0.5)
    with home.platform.warehouse.connect() as connection:
        former = read_champion(connection)
        (rows,) = connection.execute("SELECT count(*) FROM ops.training_ratings").fetchone() or (0,)
        version = register_candidate(
            connection, run, artifact, method="m", config={"factors": 64}, seed=0, data_size=rows, batches=trained
        )
        result = GateResult(0.5, 0.5, 0.5, "", metrics, evidence)
        over = former.version if former else None
        promote(connection, version, artifact, result, over=over, data_size=rows, merge="merge")
        write_recommendations(connection, version, lists)


def measure(home: Home) -> dict[str, float]:
    """Seconds of sensors and commands, in this process."""
    platform, instance = home.platform, home.instance
    work: dict[str, Callable[[], object]] = {f"tick of {name}": lambda name=name: _tick(home, name) for name in SENSORS}  # type: ignore[misc]
    work["status"] = lambda: read_status(platform, read_automation(instance))
    work["report: facts and page"] = lambda: render(read_page_facts(platform, instance))
    work["metrics, without HTTP"] = lambda: exposition(read_scrape(lambda: platform, lambda: read_automation(instance)))
    return {name: _shortest(each) for name, each in work.items()}


def _tick(home: Home, name: str) -> None:
    """One evaluation; it must find nothing to do, or another thing is measured."""
    sensor = repository().get_sensor_def(name)
    context = dg.build_sensor_context(
        instance=home.instance, repository_def=repository(), resources={"platform": home.platform}
    )
    answer = sensor(context)
    requests = answer.run_requests if isinstance(answer, dg.SensorResult) else []
    assert not requests, f"{name} requests {requests}"
    assert not isinstance(answer, dg.RunRequest), f"{name} requests {answer}"


def _shortest(work: Callable[[], object]) -> float:
    """The shortest of some rounds: what others do on the machine only makes it longer."""
    work()
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure_dev(home: Home, watch_s: float) -> dict[str, float]:
    """Seconds of the UI's answers, and the daemon's memory at first and after many ticks."""
    with dev(home.platform.settings.home) as running:
        running.wait_for(lambda: _ticks(home.instance) >= 3, "ticks of drive_sensor", deadline_s=600)
        daemon = _daemon(running)
        first, before = daemon.memory_info().rss, _ticks(home.instance)
        key = {"path": ["ratings_buffer"]}
        found = {
            "/metrics": _shortest(lambda: _get(f"{running.url}/metrics")),
            "partitions of ratings_buffer in the UI": _shortest(lambda: running.ask(PARTITIONS, assetKey=key)),
        }
        answer = running.ask(PARTITIONS, assetKey=key)["assetNodeOrError"]
        assert len(answer["assetPartitionStatuses"]["materializedPartitions"]) == home.batches, json.dumps(answer)[:500]
        end = time.monotonic() + watch_s
        while time.monotonic() < end:
            time.sleep(1)
        return found | {
            "daemon, MiB at first": first / 2**20,
            "daemon, MiB at last": daemon.memory_info().rss / 2**20,
            "ticks of drive_sensor meanwhile": float(_ticks(home.instance) - before),
        }


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - 127.0.0.1
        content: bytes = answer.read()
        return content


def _daemon(running: Dev) -> psutil.Process:
    children = psutil.Process(running.process.pid).children(recursive=True)
    return next(each for each in children if "dagster._daemon" in " ".join(each.cmdline()))


def _ticks(instance: dg.DagsterInstance) -> int:
    """How many times drive_sensor was evaluated."""
    for state in instance.all_instigator_state():
        if state.name == "drive_sensor":
            return len(instance.get_ticks(state.instigator_origin_id, state.selector_id))
    return 0


if __name__ == "__main__":
    sys.exit(main())
