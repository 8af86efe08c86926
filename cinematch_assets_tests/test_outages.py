"""Kills and outages: whatever happens on the way, the tables end as if nothing had happened, and no person acts."""

import os
import random
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from cinematch_assets_tests.support import outages
from cinematch_assets_tests.support.outages import Home, Outcome, settle, unattended, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.waits]

SEED = int(os.environ.get("CINEMATCH_TEST_SEED", "11"))
KILLS = int(os.environ.get("CINEMATCH_TEST_KILLS", "20"))
OUTAGE_S = float(os.environ.get("CINEMATCH_TEST_OUTAGE_S", "120"))
VICTIMS = {"run": outages.kill_run, "services": outages.kill_services, "database": outages.kill_server}


@pytest.fixture(scope="module")
def clean() -> Iterator[Outcome]:
    """What stands when nothing is disturbed."""
    with unattended() as home:
        outcome = settle(home)
    _say(f"\nclean, {outcome.seconds:.0f} s: {outcome.as_json()}")
    return outcome


@pytest.mark.faults("kills")
@pytest.mark.timeout(3 * 3600)
def test_twenty_random_kills_leave_no_trace(clean: Outcome, figure: Callable[[str], None]) -> None:
    chance = random.Random(SEED)  # noqa: S311 - repeatable
    _say(f"\nseed {SEED}\n  # | at s | killed | settled after s | differs")
    differing, slowest_s = [], 0.0
    for number in range(1, KILLS + 1):
        at, victim = chance.uniform(0, clean.seconds - 12), chance.choice(["run", "run", "services", "database"])
        with unattended() as home:
            time.sleep(at)
            done = VICTIMS[victim](home, chance)
            try:
                outcome = settle(home)
                differences = outcome.differences(clean)
                seconds = f"{outcome.seconds:.0f}"
                slowest_s = max(slowest_s, outcome.seconds)
            except TimeoutError:
                differences, seconds = [f"unsettled: {home.ask('SELECT * FROM ops.outstanding_work')}"], "-"
        _say(f"{number:3} | {at:4.0f} | {done} | {seconds} | {'; '.join(differences) or 'nothing'}")
        differing += [(number, differences)] if differences else []
    figure(
        f"{KILLS} kills, seed {SEED}: {len(differing)} differ; all done after at most {slowest_s:.0f} s, "
        f"undisturbed after {clean.seconds:.0f} s"
    )
    assert not differing


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


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the table is half of what the test is for; pytest -s shows it


def _set_read_only(home: Home, *, on: bool) -> None:
    url = home.url("postgres")
    assert url is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE cinematch SET default_transaction_read_only = {'on' if on else 'off'}")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cinematch'")
