"""A lease has one holder, ends by itself, and is named to those who do not get it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.leases import LeaseHeldError, find_lease, return_lease, take_lease


def test_another_run_does_not_get_a_lease_that_is_held_and_learns_by_whom(connection: psycopg.Connection) -> None:
    assert find_lease(connection, "retraining") is None
    take_lease(connection, "retraining", "alpha (/srv/a)", "0123456789", 60)
    with pytest.raises(LeaseHeldError, match=r"^retraining is under way by alpha \(/srv/a\), run 01234567, since"):
        take_lease(connection, "retraining", "beta (/srv/b)", "abcdefghij", 60)
    take_lease(connection, "something else", "beta (/srv/b)", "abcdefghij", 60)


def test_the_holder_extends_and_returns_its_lease_and_no_one_else_does(connection: psycopg.Connection) -> None:
    take_lease(connection, "retraining", "alpha", "a", 60)
    first = find_lease(connection, "retraining")
    take_lease(connection, "retraining", "alpha", "a", 120)
    assert find_lease(connection, "retraining") == first
    return_lease(connection, "retraining", "b")
    assert find_lease(connection, "retraining") == first
    return_lease(connection, "retraining", "a")
    assert find_lease(connection, "retraining") is None


def test_a_lease_that_was_not_renewed_is_free(connection: psycopg.Connection) -> None:
    take_lease(connection, "retraining", "alpha", "a", -1)
    assert find_lease(connection, "retraining") is None
    take_lease(connection, "retraining", "beta", "b", 60)
    found = find_lease(connection, "retraining")
    assert found is not None
    assert found.holder == "beta"


@pytest.mark.faults("clock")
def test_a_lease_from_before_the_clock_was_set_back_is_free(connection: psycopg.Connection) -> None:
    take_lease(connection, "retraining", "alpha", "a", 60)
    connection.execute("UPDATE ops.leases SET expires_at = expires_at + interval '1 hour'")
    assert find_lease(connection, "retraining") is None
    take_lease(connection, "retraining", "beta", "b", 60)
    with pytest.raises(LeaseHeldError, match="by beta"):
        take_lease(connection, "retraining", "alpha", "a", 60)


@pytest.mark.faults("clock")
def test_its_holder_has_it_again_with_the_next_extension(connection: psycopg.Connection) -> None:
    take_lease(connection, "retraining", "alpha", "a", 60)
    connection.execute("UPDATE ops.leases SET expires_at = expires_at + interval '1 hour'")
    take_lease(connection, "retraining", "alpha", "a", 60)
    with pytest.raises(LeaseHeldError, match="by alpha"):
        take_lease(connection, "retraining", "beta", "b", 60)


def test_of_two_at_once_one_gets_it(url: str) -> None:
    both = threading.Barrier(2)

    def take(run: str) -> bool:
        with connect(url) as connection:
            both.wait(10)
            try:
                take_lease(connection, "retraining", run, run, 60)
            except LeaseHeldError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            assert sorted(pool.map(take, ["a", "b"])) == [False, True]
            with connect(url) as connection:
                connection.execute("DELETE FROM ops.leases")
