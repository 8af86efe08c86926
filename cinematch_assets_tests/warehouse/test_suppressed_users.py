import threading

import psycopg
import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.erasures import begin_erasure, delete_people
from cinematch_assets.warehouse.suppressed_users import (
    SuppressionChangedError,
    count_suppressed_users,
    list_suppressed_users,
    require_suppressed,
)
from cinematch_assets_tests.support.warehouse_rows import count, load, load_file, make_ratings

ADA = Actor("ada")


def suppress(connection: psycopg.Connection, *hashes: str) -> int:
    return begin_erasure(connection, hashes, "f" * 16, "asked for", ADA)


def test_the_list_grows_and_an_entry_counts_once(connection: psycopg.Connection) -> None:
    suppress(connection, "a" * 64)
    suppress(connection, "a" * 64, "b" * 64)
    assert list_suppressed_users(connection) == {"a" * 64: "f" * 16, "b" * 64: "f" * 16}
    assert count_suppressed_users(connection) == 2
    require_suppressed(connection, 2)


@pytest.mark.parametrize("change", ["DELETE FROM ops.suppressed_users", "UPDATE ops.suppressed_users SET erasure = 2"])
def test_the_pipeline_s_role_takes_no_one_off_the_list(url: str, change: str) -> None:
    with connect(url, user="ml_pipeline") as connection:
        suppress(connection, "a" * 64)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(change.encode())


def test_what_was_read_before_an_erasure_began_is_not_loaded_after_it(connection: psycopg.Connection) -> None:
    suppress(connection, "a" * 64)
    with pytest.raises(SuppressionChangedError, match="run it again"):
        load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    with pytest.raises(SuppressionChangedError):
        load_file(connection, make_ratings((1, 1, 4.0, 1)))
    assert (count(connection, "ratings"), count(connection, "ratings_buffer")) == (0, 0)


def test_a_load_under_way_ends_first_and_its_rows_go_too(url: str) -> None:
    # The load has compared the list and holds its rows; the erasure begins, and its deletion waits for them.
    with connect(url) as connection, connect(url) as loader:
        with loader.transaction():
            loader.execute("INSERT INTO ratings_buffer VALUES (1, 1, 4.0, 1, 'w1'), (2, 1, 4.0, 1, 'w1')")
            require_suppressed(loader, 0)
            erasure = suppress(connection, "a" * 64)
            deletion = threading.Thread(target=delete_people, args=(connection, erasure, lambda users: users == 1))
            deletion.start()
            deletion.join(0.5)
            assert deletion.is_alive()
        deletion.join(20)
        assert not deletion.is_alive()
        assert loader.execute("SELECT userid FROM ratings_buffer").fetchall() == [(2,)]
