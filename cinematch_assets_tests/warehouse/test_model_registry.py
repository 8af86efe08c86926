import psycopg
import pytest

from cinematch_assets.warehouse.model_registry import (
    RegistryConflictError,
    TrainedBatch,
    find_newest_candidate,
    find_newest_version,
    list_model_versions,
    list_trained_batches,
    read_model_version,
)
from cinematch_assets_tests.support.warehouse_rows import add_candidate, md5_of


def test_versions_are_named_after_their_run_and_counted(connection: psycopg.Connection) -> None:
    assert add_candidate(connection, "0123456789ab") == "run_01234567_v1"
    assert add_candidate(connection, "fedcba98") == "run_fedcba98_v2"
    assert find_newest_candidate(connection, "0123456789ab") == "run_01234567_v1"
    assert find_newest_candidate(connection, "another") == "run_fedcba98_v2"


def test_a_version_is_read_with_what_it_was_trained_on(connection: psycopg.Connection) -> None:
    assert find_newest_version(connection) is None
    first = add_candidate(connection, "first", TrainedBatch("w1", md5_of("a"), 2))
    second = add_candidate(connection, "second")
    row = read_model_version(connection, first)
    assert (row.state, row.method, row.config, row.seed) == ("candidate", "als", {"factors": 8}, 42)
    assert (row.metrics, row.decided_at, row.previous_champion) == (None, None, None)
    assert list_trained_batches(connection, first) == [TrainedBatch("w1", md5_of("a"), 2)]
    assert [each.version for each in list_model_versions(connection)] == [second, first]
    newest = find_newest_version(connection)
    assert newest is not None
    assert newest.version == second


def test_a_version_that_is_not_registered_is_named(connection: psycopg.Connection) -> None:
    with pytest.raises(RegistryConflictError, match="no model version run_x_v1"):
        read_model_version(connection, "run_x_v1")
    with pytest.raises(RegistryConflictError, match="materialize recommender_model first"):
        find_newest_candidate(connection, "x")
