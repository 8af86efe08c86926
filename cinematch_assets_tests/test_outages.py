"""Kills and outages: whatever happens on the way, the tables end as if nothing had happened, and no person acts."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cinematch_assets_tests.support import outages
from cinematch_assets_tests.support.outages import Home, Outcome, settle, unattended, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.waits]

SEED = int(os.environ.get("CINEMATCH_TEST_SEED", "11"))
KILLS = int(os.environ.get("CINEMATCH_TEST_KILLS", "20"))
AT_ONCE = int(os.environ.get("CINEMATCH_TEST_KILLS_AT_ONCE", "2"))
"""Homes that run beside each other: most of their time is waiting."""

OUTAGE_S = float(os.environ.get("CINEMATCH_TEST_OUTAGE_S", "20"))
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


@pytest.mark.timeout(3 * 3600)
def test_twenty_random_kills_leave_no_trace(clean: Outcome) -> None:
    _say(f"\nseed {SEED}, {AT_ONCE} at once\n  # | at s | killed | settled after s | differs")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda number: _differences_after_a_kill(number, clean), range(1, KILLS + 1)))
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


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", ["ratings", "drift_report", "recommender_model"])
def test_a_server_that_restarts_in_the_middle(clean: Outcome, step: str) -> None:
    with unattended() as home:
        wait_for(lambda: home.has_started(step), f"the start of {step}", every_s=0.05)
        outages.restart_server(home)
        outcome = settle(home)
    _say(f"\nrestart at {step}: {outcome.seconds:.0f} s (clean {clean.seconds:.0f})")
    assert outcome.differences(clean) == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", ["raw_movies", "drift_report", "recommender_model"])
def test_a_database_that_is_read_only_for_a_while(clean: Outcome, step: str) -> None:
    with unattended() as home:
        wait_for(lambda: home.has_started(step), f"the start of {step}", every_s=0.05)
        _set_read_only(home, on=True)
        time.sleep(OUTAGE_S)
        _set_read_only(home, on=False)
        outcome = settle(home)
    _say(f"\nread-only at {step}: {outcome.seconds:.0f} s (clean {clean.seconds:.0f})")
    assert outcome.differences(clean) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", ["raw_movies", "ratings", "recommender_model"])
def test_a_disk_that_is_full_for_a_while(clean: Outcome, step: str) -> None:
    with outages.small_disk(1_500) as disk, unattended(disk) as home:
        wait_for(lambda: home.has_started(step), f"the start of {step}", every_s=0.05)
        ballast = outages.fill(disk)
        time.sleep(OUTAGE_S)
        ballast.unlink()
        outcome = settle(home)
    _say(f"\nfull disk at {step}: {outcome.seconds:.0f} s (clean {clean.seconds:.0f})")
    assert outcome.differences(clean) == []


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the table is half of what the test is for; pytest -s shows it


def _set_read_only(home: Home, *, on: bool) -> None:
    url = home.url("postgres")
    assert url is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE cinematch SET default_transaction_read_only = {'on' if on else 'off'}")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cinematch'")
