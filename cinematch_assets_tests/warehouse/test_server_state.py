import pytest

from cinematch_assets.warehouse.connection import WarehouseUnavailableError
from cinematch_assets.warehouse.server_state import read_server_state
from cinematch_assets_tests.support.servers import Postgres


def test_a_server_tells_its_version_schema_and_size(database_url: str, postgres: Postgres) -> None:
    state = read_server_state(database_url)
    assert state.version == int(str(postgres.version)[:2])
    assert state.missing_migrations == ()
    assert state.size_mb > 5


def test_an_empty_database_misses_every_migration_and_stays_empty(empty_database_url: str) -> None:
    first = read_server_state(empty_database_url)
    assert first.missing_migrations[0] == "0001.cinematch-tables"
    assert read_server_state(empty_database_url).missing_migrations == first.missing_migrations


def test_a_server_that_is_down_is_an_error_that_names_it() -> None:
    with pytest.raises(WarehouseUnavailableError, match=r"127\.0\.0\.1:1/nowhere"):
        read_server_state("postgresql://127.0.0.1:1/nowhere")
