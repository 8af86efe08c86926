from pathlib import Path

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.warehouse.connection import UnsafeConnectionError
from cinematch_assets.warehouse.inspection import count_rows
from cinematch_assets.warehouse.warehouse import Warehouse, open_warehouse
from cinematch_assets_tests.support.warehouse_rows import load_file, make_random_ratings


def test_an_external_database_is_used_as_it_is(url: str, tmp_path: Path) -> None:
    warehouse = open_warehouse(url, tmp_path)
    with warehouse.connect() as connection:
        load_file(connection, make_random_ratings(50))
    users, movies = warehouse.read_seen_pairs()
    assert users.shape == movies.shape == (50,)
    assert list(tmp_path.iterdir()) == []


def test_its_url_is_not_in_its_representation() -> None:
    warehouse = Warehouse("postgresql://owner:s3cret@localhost:5432/neondb")
    assert "s3cret" not in repr(warehouse)
    assert warehouse.describe() == "localhost:5432/neondb"


def test_functions_run_on_a_connection_of_their_own_or_on_one_together(url: str) -> None:
    warehouse = Warehouse(url)
    assert warehouse.run(count_rows, "ratings") == 0
    with warehouse.session() as session:
        session.run(load_file, make_random_ratings(50))
        assert session.run(count_rows, "ratings") == 50
    counts = warehouse.read_rating_counts()
    test = warehouse.read_test_rows()
    assert [int(each.sum()) + len(test) for each in counts] == [50, 50]
    assert warehouse.read_user_histograms().sum() == counts[0].sum()
    assert len(warehouse.read_training_data().test) == len(test)
    with warehouse.open_answer("SELECT count(*) FROM ratings") as answer:
        assert (answer.columns, list(answer.rows)) == (("count",), [(50,)])


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
