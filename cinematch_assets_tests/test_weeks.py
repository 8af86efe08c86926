"""A year of weekly batches on one ``cinematch dev``: what grows, and what does not."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cinematch_assets.warehouse.embedded import DAGSTER
from cinematch_assets_tests.support import outages
from cinematch_assets_tests.support.dagster_ui import Dev, dev
from cinematch_assets_tests.support.outages import UNDER_WAY, Home, command_of, wait_for
from cinematch_assets_tests.support.servers import short_folder

WEEKS = int(os.environ.get("CINEMATCH_TEST_WEEKS", "52"))
DRIFT_EVERY, MAINTAIN_EVERY = 4, 4
USERS, RATED_SHARE = 500, 0.5
"""37,500 ratings, and as many pairs left for the batches of a year; of so many, a drifted week spoils no candidate."""

SETTLED = """
SELECT count(*) FILTER (WHERE reported_md5 = md5 AND assessed_md5 = md5) >= %s
   AND NOT EXISTS (SELECT FROM ops.outstanding_work)
   AND NOT EXISTS (SELECT FROM ops.retraining_decisions WHERE state = 'waiting')
   AND (SELECT version FROM ops.champion) = (SELECT max(model_version) FROM recommendations)
FROM ops.batches
"""
SIZE = "SELECT pg_database_size(current_database()) / 1e6::float8"


@dataclass(frozen=True, slots=True)
class Week:
    """What stands at the end of one, in MB, and the champion."""

    number: int
    warehouse: float
    dagster: float
    daemon: float
    code_server: float
    champion: str

    def __str__(self) -> str:
        return (
            f"week {self.number}: warehouse {self.warehouse:.1f} MB, Dagster's storage {self.dagster:.1f} MB, "
            f"daemon {self.daemon:.0f} MB, code server {self.code_server:.0f} MB"
        )


def is_quiet(home: Home, week: int) -> bool:
    return home.ask(SETTLED, week) == [(True,)] and home.ask(UNDER_WAY, database=DAGSTER) == [(0,)]


def measure(home: Home, week: int) -> Week:
    memory = {"daemon": 0.0, "code server": 0.0}
    for process in home.services():
        words = command_of(process)
        if "spawn_main" in words or "resource_tracker" in words:
            continue  # of a run
        for part, mark in (("daemon", "daemon run"), ("code server", "code-server"), ("code server", "grpc")):
            if mark in words:
                memory[part] += process.memory_info().rss / 1e6
                break
    (size,), (storage,) = home.ask(SIZE), home.ask(SIZE, database=DAGSTER)
    ((champion,),) = home.ask("SELECT version FROM ops.champion")
    sizes = [float(str(each[0])) for each in (size, storage)]
    return Week(week, sizes[0], sizes[1], memory["daemon"], memory["code server"], str(champion))


def live(home: Home, running: Dev, week: int) -> Week:
    """One week: a batch comes, of which each fourth has drifted, and what follows from it is done."""
    drifted = week % DRIFT_EVERY == 0
    outages.drop_batch(home.folder, drift=0.7 if drifted else 0.0, rows=1_100 if drifted else 400, seed=week)
    wait_for(lambda: is_quiet(home, week), f"the end of week {week}", deadline_s=1_200)
    if week % MAINTAIN_EVERY == 0:
        running.launch("maintain")
    return measure(home, week)


@pytest.mark.faults("weeks")
@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(4 * 3600)
def test_a_year_of_weeks_leaves_sizes_and_memory_flat(
    monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    monkeypatch.setenv("CINEMATCH_MERGE", "delete")
    monkeypatch.setenv("CINEMATCH_RETRAIN_COOLDOWN_S", "0")
    with short_folder() as folder:
        home_folder: Path = folder / "home"
        home_folder.mkdir()
        with dev(home_folder) as running:
            home = Home(home_folder, running.process.pid, time.monotonic())
            outages.drop_tables(home_folder, users=USERS, share=RATED_SHARE)
            wait_for(lambda: bool(home.ask("SELECT 1 FROM recommendations LIMIT 1")), "a first champion")
            weeks = []
            for number in range(1, WEEKS + 1):
                weeks.append(live(home, running, number))
                print(weeks[-1], weeks[-1].champion, flush=True)  # noqa: T201 - pytest -s shows how far it is
            ((kept,),) = home.ask("SELECT count(*) FROM ops.batches")
    early, last = weeks[len(weeks) // 4 - 1], weeks[-1]
    a_week = (last.dagster - early.dagster) / (last.number - early.number)
    champions = len({week.champion for week in weeks})
    for each in (early, last):
        figure(str(each))
    took_s = time.monotonic() - home.started
    figure(f"Dagster's storage grows by {a_week:.2f} MB a week; {champions} champions in {took_s:.0f} s")
    assert kept == WEEKS
    assert champions > 1
    assert last.warehouse < early.warehouse * 1.2 + 5
    assert early.daemon > 0
    assert early.code_server > 0
    assert last.daemon < early.daemon * 1.2 + 20
    assert last.code_server < early.code_server * 1.2 + 20
    assert a_week < 4
