"""A session that ends, wherever in its work: one sentence, all or nothing, and the next attempt succeeds."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse.champion import promote
from cinematch_assets.warehouse.connection import WarehouseUnavailableError, connect
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets_tests.support.broken_sessions import end_sessions, interrupted_at
from cinematch_assets_tests.support.servers import Postgres, migrated_template, with_database
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    load,
    load_file,
    make_artifact,
    make_gate_result,
    make_random_ratings,
    md5_of,
    read_rows,
)

TABLES = {
    "ratings": "userid, movieid, rating, timestamp, batch_id",
    "ratings_buffer": "userid, movieid, rating, batch_id",
    "ingestion_metadata": "batch_id, record_count, status",
    "drift_alerts": "batch_id, feature_name",
    "ops.retraining_decisions": "batch_id, md5, state",
    "ops.model_versions": "version, state",
    "model_metrics": "model_version",
}
ALERT = DriftAlert("rating_mean", 0.121, 0.1, True, "Baseline: 3.540, New: 3.968", 700, 43)
ROWS, OTHER = make_random_ratings(3_000, seed=1), make_random_ratings(4_000, seed=2)
BATCH = make_random_ratings(600, seed=3)


def copy_ratings(url: str) -> None:
    with connect(url) as connection:
        load_file(connection, OTHER, "b")


def copy_batch(url: str) -> None:
    with connect(url) as connection:
        load(connection, "w2", BATCH, "b")


def assess_batch(url: str) -> None:
    with connect(url) as connection:
        write_assessment(connection, "w1", md5_of("a"), [ALERT], due=True, reason="why", evidence={})


def decide(url: str) -> None:
    with connect(url) as connection:
        final, result = make_artifact("final"), make_gate_result()
        promote(connection, "run_run_v1", final, result, over=None, data_size=1, merge="merge")


WORK = {
    "COPY of ratings": copy_ratings,
    "COPY of a batch": copy_batch,
    "an assessment": assess_batch,
    "a promotion": decide,
}


Databases = Callable[[], AbstractContextManager[tuple[str, str]]]


@pytest.fixture(params=["pg18", "pg15-pooled"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Makes a database with a trained batch: its URL as the platform reaches it, and the direct one."""
    server: Postgres = request.getfixturevalue("postgres18" if request.param == "pg18" else "postgres15")
    pooler = None if request.param == "pg18" else request.getfixturevalue("_pooler")

    @contextmanager
    def make() -> Iterator[tuple[str, str]]:
        with server.database(migrated_template(server)) as direct:
            with connect(direct) as connection:
                load_file(connection, ROWS, "a")
                load(connection, "w1", BATCH, "a")
                assert add_candidate(connection, "run", TrainedBatch("w1", md5_of("a"), len(BATCH))) == "run_run_v1"
            yield (with_database(pooler, direct.rsplit("/", 1)[1]) if pooler else direct), direct

    return make


def state(url: str) -> dict[str, list[object]]:
    with connect(url) as connection:
        return {table: read_rows(connection, table, columns) for table, columns in TABLES.items()}


def interrupt(work: Callable[[str], None], url: str, direct: str, order: int) -> tuple[bool, str]:
    """Do the work, and end its session before an order: whether there was this order, and the error if one came."""
    with interrupted_at(order, lambda: end_sessions(direct)) as interrupted:
        try:
            work(url)
        except WarehouseUnavailableError as fault:
            return interrupted[0], str(fault)
    return interrupted[0], ""


@pytest.mark.faults("sessions")
@pytest.mark.parametrize("work", WORK)
def test_a_session_that_ends_before_any_order_leaves_all_or_nothing(
    databases: Databases, work: str, figure: Callable[[str], None]
) -> None:
    """Between two transactions a pooler takes another session, and nothing is noticed."""
    order, faults, done = 1, 0, []
    there = True
    while there:
        with databases() as (url, direct):
            before, said = state(direct), "none yet"
            while there and said:
                there, said = interrupt(WORK[work], url, direct, order)
                order += 1
                if said:
                    assert "\n" not in said
                    assert state(direct) == before
                    faults += 1
            done.append(state(direct))
            assert done[-1] != before
    assert done == done[-1:] * len(done)
    assert faults >= 3
    figure(f"{work}: sessions ended before each of {order - 2} orders and blocks")


@pytest.mark.faults("sessions")
def test_what_was_not_ended_is_noticed(database_url_18: str) -> None:
    with psycopg.connect(database_url_18) as connection:
        end_sessions(database_url_18)
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")
