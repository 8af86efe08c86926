"""The benchmark of many batches measures sensors that find nothing to do, on a home that grows by whole batches."""

import pytest

from benchmarks.many_batches import BATCHES_PER_VERSION, ROWS_PER_BATCH, SENSORS, grow, measure, opened
from cinematch_assets.warehouse.inspection import count_rows
from cinematch_assets.warehouse.model_registry import list_model_versions
from cinematch_assets_tests.support.servers import short_folder


@pytest.mark.slow
def test_a_home_grows_by_batches_as_production_leaves_them_and_everything_is_measured() -> None:
    with short_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CINEMATCH_HOME", str(folder / "home"))  # the benchmark sets it too: it ends with the test
        with opened(folder / "home") as home:
            grow(home, BATCHES_PER_VERSION)
            grow(home, BATCHES_PER_VERSION + 1)
            assert home.batches == BATCHES_PER_VERSION + 1
            assert len(home.platform.warehouse.run(list_model_versions)) == 2
            assert home.platform.warehouse.run(count_rows, "ratings_buffer") == ROWS_PER_BATCH - 1, "one is rejected"
            measured = measure(home)
    assert {f"tick of {name}" for name in SENSORS} < set(measured)
    assert all(seconds > 0 for seconds in measured.values())
