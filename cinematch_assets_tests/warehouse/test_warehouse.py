from pathlib import Path

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.connection import UnsafeConnectionError
from cinematch_assets.warehouse.warehouse import open_warehouse
from cinematch_assets_tests.support.warehouse_rows import load_file, make_random_ratings


def test_an_external_database_is_used_as_it_is(url: str, tmp_path: Path) -> None:
    warehouse = open_warehouse(url, tmp_path)
    with warehouse.connect() as connection:
        load_file(connection, make_random_ratings(50))
    users, movies = warehouse.read_seen_pairs()
    assert users.shape == movies.shape == (50,)
    assert list(tmp_path.iterdir()) == []


def test_it_is_opened_once(url: str, tmp_path: Path) -> None:
    assert open_warehouse(url, tmp_path) is open_warehouse(url, tmp_path / ".")


def test_a_host_elsewhere_without_tls_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(UnsafeConnectionError, match="add sslmode=require"):
        open_warehouse("postgresql://owner:s3cret@ep-a.example.com/neondb", tmp_path)


def test_every_fault_of_this_room_is_one_the_command_can_show() -> None:
    from cinematch_assets.warehouse import (
        connection,
        drift_alerts,
        landed_files,
        model_registry,
        readonly_query,
        rejected_rows,
        warehouse,
    )

    found = [
        value
        for module in (connection, drift_alerts, landed_files, model_registry, readonly_query, rejected_rows, warehouse)
        for name, value in vars(module).items()
        if name.endswith("Error") and isinstance(value, type)
    ]
    assert len(found) >= 10
    assert [fault for fault in found if not issubclass(fault, CinematchError)] == []
