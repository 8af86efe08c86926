"""Sessions end, or Postgres restarts, in the middle of a retraining: with the next attempt it ends as undisturbed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.pipeline.batch_drift import assess_batch
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.warehouse.migrations import migrate
from cinematch_assets.warehouse.model_registry import find_newest_candidate
from cinematch_assets_tests.support import servers, workers
from cinematch_assets_tests.support.broken_sessions import end_sessions, interrupted_at, restart_server, stop_restarted
from cinematch_assets_tests.support.platforms import drop_history, load_table, make_platform, rows_of, take_in_history
from cinematch_assets_tests.support.servers import Postgres, migrated_template, with_database

QUERIES = (
    "SELECT userid, movieid, rating, timestamp, data_split, batch_id FROM ratings ORDER BY 1, 2, 3, 4",
    "SELECT userid, movieid, rating, batch_id FROM ratings_buffer ORDER BY 1, 2",
    "SELECT batch_id, feature_name, drift_score, alert_triggered FROM drift_alerts ORDER BY 1, 2",
    "SELECT batch_id, due, state FROM ops.retraining_decisions ORDER BY 1",
    "SELECT userid, rank, movieid, score FROM recommendations ORDER BY 1, 2",
)


def decide(platform: Platform) -> None:
    assert gate_candidate(platform, platform.warehouse.run(find_newest_candidate, "")).decision.promoted


STEPS: dict[str, Callable[[Platform], object]] = {
    "assessment": lambda platform: assess_batch(platform, "batch_w1"),
    "training": lambda platform: train_candidate(platform, "22222222"),
    "the gate": decide,
    "lists": publish_recommendations,
}
SHARES = (0.3, 0.9)
"""After which share of a step's orders to Postgres it is interrupted."""


def prepare(home: Path, url: str) -> Platform:
    """A champion, and a batch that has drifted and was not assessed."""
    platform = make_platform(home, url)
    drop_history(platform)
    take_in_history(platform)
    assert gate_candidate(platform, train_candidate(platform, "11111111").version).decision.promoted
    publish_recommendations(platform)
    load_table(platform, f"batches/{simulate_next(platform, rows=1_100, drift=0.7).batch_id}")
    return platform


def outcome(platform: Platform) -> list[object]:
    return [load_champion(platform)[0].artifact_sha256, *(rows_of(platform, query) for query in QUERIES)]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> tuple[list[object], dict[str, int]]:
    """What stands in the end, and how many orders to Postgres each step gives."""
    with migrated_database() as url:
        platform = prepare(tmp_path_factory.mktemp("undisturbed") / "home", url)
        orders = {name: workers.count_orders(lambda step=step: step(platform)) for name, step in STEPS.items()}
        return outcome(platform), orders


@pytest.fixture(params=["sessions on 18", "sessions behind PgBouncer", "restarts behind PgBouncer"])
def way(request: pytest.FixtureRequest) -> Iterator[tuple[str, Callable[[], None]]]:
    """A migrated database as the platform reaches it, and what interrupts it."""
    with ExitStack() as stack:
        if request.param == "restarts behind PgBouncer":
            server: Postgres = stack.enter_context(servers.postgres15())
            pooler = stack.enter_context(servers.pgbouncer(server))
            stack.callback(stop_restarted, server.url)
            migrate(server.url)
            yield pooler, lambda: restart_server(server.url)
        else:
            pooled = request.param == "sessions behind PgBouncer"
            server = request.getfixturevalue("postgres15" if pooled else "postgres18")
            direct = stack.enter_context(server.database(migrated_template(server)))
            name = direct.rsplit("/", 1)[1]
            url = with_database(request.getfixturevalue("_pooler"), name) if pooled else direct
            yield url, lambda: end_sessions(direct)


@pytest.mark.faults("sessions")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_retraining_whose_sessions_end_is_the_undisturbed_one_after_the_next_attempt(
    way: tuple[str, Callable[[], None]],
    undisturbed: tuple[list[object], dict[str, int]],
    tmp_path: Path,
    figure: Callable[[str], None],
    request: pytest.FixtureRequest,
) -> None:
    url, interrupt = way
    platform = prepare(tmp_path / "home", url)
    faults = 0
    for name, step in STEPS.items():
        done = False
        for share in SHARES:
            if not done:
                with interrupted_at(max(1, round(undisturbed[1][name] * share)), interrupt) as interrupted:
                    said = attempt(step, platform)
                assert interrupted == [True]
                done = not said
                faults += bool(said)
        if not done:
            assert attempt(step, platform) == ""
    assert outcome(platform) == undisturbed[0]
    assert faults > 0  # a pooler hides those between two transactions
    figure(f"{request.node.callspec.id}: {faults} faults in {', '.join(STEPS)}; champion and rows as undisturbed")


def attempt(step: Callable[[Platform], object], platform: Platform) -> str:
    """Do a step; return the sentence of a fault of the surroundings, nothing when it went well."""
    try:
        step(platform)
    except SurroundingsError as fault:
        said = str(fault)
    else:
        return ""
    assert "\n" not in said
    return said
