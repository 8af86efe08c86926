"""What the two roles may do, in the database itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from cinematch_assets.warehouse.champion import promote, read_champion
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets.warehouse.training_data import read_training_data
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    count,
    load,
    load_file,
    make_artifact,
    make_gate_result,
    make_random_ratings,
    make_ratings,
    make_recommendations,
    md5_of,
)


@contextmanager
def signed_in(url: str, role: str) -> Iterator[psycopg.Connection]:
    with connect(url, user=role) as connection:
        yield connection


def test_both_roles_can_sign_in_and_neither_is_more_than_it_says(url: str) -> None:
    with connect(url) as connection:
        roles = "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles "
        found = connection.execute(
            f"{roles} WHERE rolname IN ('analyst', 'ml_pipeline') ORDER BY 1".encode()
        ).fetchall()
    assert found == [("analyst", True, False, False, False, False), ("ml_pipeline", True, False, False, False, False)]


@pytest.mark.parametrize("order", ["CREATE TEMP TABLE t (n int)", "CREATE TABLE t (n int)", "CREATE SCHEMA mine"])
@pytest.mark.parametrize("role", ["analyst", "ml_pipeline"])
def test_neither_role_makes_tables(shared_url: str, role: str, order: str) -> None:
    with signed_in(shared_url, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(order.encode())


def test_tables_that_come_later_are_covered(url: str) -> None:
    with connect(url) as connection:
        connection.execute("CREATE TABLE ops.later (id SERIAL PRIMARY KEY, n int)")
        connection.execute("CREATE TABLE later (id BIGINT GENERATED ALWAYS AS IDENTITY, n int)")
    with signed_in(url, "ml_pipeline") as pipeline, signed_in(url, "analyst") as analyst:
        for table in ("later", "ops.later"):
            pipeline.execute(f"INSERT INTO {table} (n) VALUES (1)".encode())
            pipeline.execute(f"UPDATE {table} SET n = 2".encode())
            assert count(analyst, f"{table} WHERE n = 2") == 1
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                analyst.execute(f"DELETE FROM {table}".encode())


def test_the_pipeline_s_role_can_do_a_batch_s_whole_way(url: str) -> None:
    with signed_in(url, "ml_pipeline") as connection:
        load_file(connection, make_random_ratings(300))
        load(connection, "w1", make_ratings((1, 10, 4.0, 1), (2, 20, 3.0, 2)))
        write_assessment(connection, "w1", md5_of("a"), [], due=True, reason="drift", evidence={})
        version = add_candidate(connection, "run", TrainedBatch("w1", md5_of("a"), 2))
        moved = promote(
            connection, version, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge"
        )
        assert moved == ("w1",)
        write_recommendations(connection, version, make_recommendations((1, 1, 30, 4.5)))
        champion = read_champion(connection)
        assert champion is not None
        assert champion.version == version
        assert count(connection, "ratings") == 302
        assert load(connection, "w1", make_ratings((1, 10, 5.0, 1)), "b").place == "merged"
    assert len(read_training_data(url).merged) <= 1
