"""Kills and outages: whatever happens on the way, the tables end as if nothing had happened, and no person acts."""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cinematch_assets_tests.support import outages
from cinematch_assets_tests.support.dagster_ui import Dev, dev
from cinematch_assets_tests.support.outages import Home, Outcome, command_of, settle, unattended, wait_for
from cinematch_assets_tests.support.servers import short_folder

pytestmark = [pytest.mark.slow, pytest.mark.waits]

SEED = int(os.environ.get("CINEMATCH_TEST_SEED", "11"))
KILLS = int(os.environ.get("CINEMATCH_TEST_KILLS", "20"))
AT_ONCE = int(os.environ.get("CINEMATCH_TEST_KILLS_AT_ONCE", "2"))
"""Homes that run beside each other: most of their time is waiting."""

OUTAGE_S = float(os.environ.get("CINEMATCH_TEST_OUTAGE_S", "120"))
VICTIMS = {"run": outages.kill_run, "services": outages.kill_services, "database": outages.kill_server}


@pytest.fixture(scope="module")
def clean() -> Outcome:
    """What stands when nothing is disturbed, as slow as beside the homes that are killed."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        first, *others = pool.map(lambda _: _undisturbed(), range(AT_ONCE))
    assert [other.differences(first) for other in others] == [[] for _ in others]
    _say(f"\nclean, {first.seconds:.0f} s: {first.as_json()}")
    return first


def _undisturbed() -> Outcome:
    with unattended() as home:
        return settle(home)


@pytest.mark.faults("kills")
@pytest.mark.timeout(3 * 3600)
def test_twenty_random_kills_leave_no_trace(clean: Outcome, figure: Callable[[str], None]) -> None:
    _say(f"\nseed {SEED}, {AT_ONCE} at once\n  # | at s | killed | settled after s | differs")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda number: _differences_after_a_kill(number, clean), range(1, KILLS + 1)))
    differing = sum(bool(differences) for differences in found)
    figure(
        f"{KILLS} kills, seed {SEED}: {differing} of them left a difference; undisturbed after {clean.seconds:.0f} s"
    )
    assert [differences for differences in found if differences] == []


def _differences_after_a_kill(number: int, clean: Outcome) -> list[str]:
    chance = random.Random(SEED * 1_000 + number)  # noqa: S311 - repeatable
    at, victim = chance.uniform(0, clean.seconds - 12), chance.choice(["run", "run", "services", "database"])
    with unattended() as home:
        time.sleep(at)
        done = VICTIMS[victim](home, chance)
        try:
            outcome = settle(home)
            differences, seconds = outcome.differences(clean), f"{outcome.seconds:.0f}"
        except TimeoutError:
            differences, seconds = [f"unsettled: {home.ask('SELECT * FROM ops.outstanding_work')}"], "-"
    _say(f"{number:3} | {at:4.0f} | {done} | {seconds} | {'; '.join(differences) or 'nothing'}")
    return differences


@pytest.mark.faults("sessions")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", ["ratings", "drift_report", "recommender_model"])
def test_a_server_that_restarts_in_the_middle(clean: Outcome, step: str, figure: Callable[[str], None]) -> None:
    with unattended() as home:
        wait_for(lambda: home.has_started(step), f"the start of {step}", every_s=0.05)
        outages.restart_server(home)
        outcome = settle(home)
    figure(f"restart at {step}: {outcome.seconds:.0f} s (undisturbed {clean.seconds:.0f} s)")
    assert outcome.differences(clean) == []


@pytest.mark.faults("read-only")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", ["raw_movies", "drift_report", "recommender_model"])
def test_a_database_that_is_read_only_for_a_while(clean: Outcome, step: str, figure: Callable[[str], None]) -> None:
    with unattended() as home:
        wait_for(lambda: home.has_started(step), f"the start of {step}", every_s=0.05)
        _set_read_only(home, on=True)
        time.sleep(OUTAGE_S)
        _set_read_only(home, on=False)
        outcome = settle(home)
    figure(f"read-only for {OUTAGE_S:.0f} s at {step}: {outcome.seconds:.0f} s (undisturbed {clean.seconds:.0f} s)")
    assert outcome.differences(clean) == []


@pytest.mark.faults("full-disk")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", ["raw_movies", "ratings", "recommender_model"])
def test_a_disk_that_is_full_for_a_while(clean: Outcome, step: str, figure: Callable[[str], None]) -> None:
    with outages.small_disk(1_500) as disk, unattended(disk) as home:
        wait_for(lambda: home.has_started(step), f"the start of {step}", every_s=0.05)
        ballast = outages.fill(disk)
        time.sleep(OUTAGE_S)
        ballast.unlink()
        outcome = settle(home)
    figure(f"full for {OUTAGE_S:.0f} s at {step}: {outcome.seconds:.0f} s (undisturbed {clean.seconds:.0f} s)")
    assert outcome.differences(clean) == []


SERVICES = {"daemon": "daemon run", "webserver": "cinematch_assets.webserver", "code server": "code-server start"}
WEEKS = 6
LOADED = """
SELECT count(*) FILTER (WHERE reported_md5 = md5 AND assessed_md5 = md5) = %s
   AND NOT EXISTS (SELECT FROM ops.outstanding_work)
   AND NOT EXISTS (SELECT FROM ops.retraining_decisions WHERE state = 'waiting')
FROM ops.batches
"""


@pytest.mark.faults("services")
@pytest.mark.timeout(3600)
def test_services_killed_during_sensors_runs_and_a_backfill_come_back_and_the_work_ends(
    monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    monkeypatch.setenv("CINEMATCH_RETRAIN_UNSEEN_SHARE", "1")  # a version that learned from them would merge their rows
    with short_folder() as folder, dev(folder / "home") as running:
        home = Home(running.home, running.process.pid, time.monotonic())
        outages.drop_tables(home.folder)
        wait_for(lambda: home.ask("SELECT 1 FROM recommendations LIMIT 1") != [], "a first champion")
        weeks = [outages.drop_batch(home.folder, drift=0.0, rows=300, seed=week) for week in range(1, WEEKS + 1)]
        wait_for(lambda: home.ask("SELECT count(*) FROM ops.batches") == [(WEEKS,)], "batches loaded by the sensor")
        backfill = running.start_backfill(weeks, "raw_ratings_batch", "ratings_buffer", "drift_report")
        last = outages.drop_batch(home.folder, drift=0.0, rows=300, seed=99)
        for name, mark in SERVICES.items():
            _kill_and_wait(home, name, mark)
        former = home.server()
        assert outages.kill_server(home, random.Random(SEED)) == "the database"  # noqa: S311 - it draws nothing
        wait_for(lambda: home.server() not in (None, former), "another database server")
        wait_for(lambda: _has_ended(running, backfill), "the end of the backfill")
        wait_for(lambda: home.ask(LOADED, WEEKS + 1) == [(True,)], "every batch")
        rows = home.ask("SELECT batch_id, count(*) FROM ratings_buffer GROUP BY 1 ORDER BY 1")
        causes = home.outcome().causes
        seconds = time.monotonic() - home.started
    assert rows == [(week, 300) for week in sorted([*weeks, last])]
    assert causes == ()
    killed = f"{', '.join(SERVICES)} and database killed"
    figure(f"{killed}: the backfill of {WEEKS} ended, {WEEKS + 1} batches are whole, after {seconds:.0f} s")


def _kill_and_wait(home: Home, name: str, mark: str) -> None:
    """Kill the processes of a service, and wait for the next of its kind."""
    former = {each.pid for each in home.services() if mark in command_of(each)}
    assert former, name
    for each in home.services():
        if each.pid in former:
            each.kill()
    wait_for(
        lambda: any(mark in command_of(each) and each.pid not in former for each in home.services()), f"another {name}"
    )


def _has_ended(running: Dev, backfill: str) -> bool:
    try:
        return running.backfill_status(backfill) not in {"REQUESTED", "FAILING", "CANCELING"}
    except (OSError, AssertionError, ValueError):
        return False  # the webserver or its database is starting again


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the table is half of what the test is for; pytest -s shows it


def _set_read_only(home: Home, *, on: bool) -> None:
    url = home.url("postgres")
    assert url is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE cinematch SET default_transaction_read_only = {'on' if on else 'off'}")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cinematch'")
