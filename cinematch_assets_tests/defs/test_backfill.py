"""A range of batches, as one run for each and as one run for all: a bad one fails alone."""

from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import psutil
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import drop, drop_history, load_table, rows_of

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
ROWS_IN_PLACE = (
    "SELECT batch_id, count(*), sum(hashtext(ctid::text || xmin::text)) FROM ratings_buffer GROUP BY 1 ORDER BY 1"
)


def names(batches: int) -> list[str]:
    return [f"batch_w{number:02d}" for number in range(1, batches + 1)]


def drop_batches(platform: Platform, batches: int, rows: int, bad: str) -> None:
    rng = np.random.default_rng(5)
    for name in names(batches):
        pairs = rng.choice(200_000 * 150, rows, replace=False)
        batch = pd.DataFrame(
            {
                "userId": pairs // 150 + 1,
                "movieId": pairs % 150 + 1,
                "rating": rng.integers(1, 11, rows) / 2,
                "timestamp": 1_100_000_000 + rng.integers(0, 600_000, rows),
            }
        )
        drop(platform, f"batches/{name}.csv", batch.assign(rating=99.0) if name == bad else batch)


@pytest.fixture
def platform(platform: Platform) -> Platform:
    drop_history(platform)
    for table in ("movies", "ratings"):
        load_table(platform, table)
    return platform


def run(platform: Platform, instance: dg.DagsterInstance, **how: Any) -> bool:
    """Land and load; say whether the run succeeded."""
    assets = [dg.AssetKey("raw_ratings_batch"), dg.AssetKey("ratings_buffer")]
    return run_job("ingest_batch", platform, instance, asset_selection=assets, **how).success


def range_tags(batches: int) -> dict[str, str]:
    """Tags of one run for all batches."""
    return dict(zip(RANGE, (names(batches)[0], names(batches)[-1]), strict=True))


def read_metadata(instance: dg.DagsterInstance, asset: str) -> dict[str, dict[str, Any]]:
    """What the newest materialization of each partition says."""
    found: dict[str, dict[str, Any]] = {}
    for record in instance.fetch_materializations(dg.AssetKey(asset), limit=1000).records:
        event = record.asset_materialization
        if event is not None and event.partition is not None:
            found.setdefault(event.partition, {name: value.value for name, value in event.metadata.items()})
    return found


@pytest.mark.parametrize("bad", ["none", "batch_w02"], ids=["all_succeed", "one_fails"])
def test_each_batch_of_one_run_keeps_its_own_metadata(
    platform: Platform, instance: dg.DagsterInstance, bad: str
) -> None:
    drop_batches(platform, 3, 300, bad)
    instance.add_dynamic_partitions("batch_id", names(3))
    assert run(platform, instance, tags=range_tags(3)) is (bad == "none")
    good = set(names(3)) - {bad}
    buffer = read_metadata(instance, "ratings_buffer")
    assert {batch: values["rows_accepted"] for batch, values in buffer.items()} == dict.fromkeys(good, 300)
    landed = read_metadata(instance, "raw_ratings_batch")
    assert {batch: values["file"] for batch, values in landed.items()} == {name: f"{name}.csv" for name in names(3)}


@pytest.mark.parametrize(
    ("batches", "rows"), [(6, 300), pytest.param(52, 43_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("as_one_run", [False, True], ids=["many_runs", "one_run"])
def test_a_bad_batch_fails_alone_and_a_second_run_changes_no_row(
    platform: Platform, batches: int, rows: int, as_one_run: bool, instance: dg.DagsterInstance
) -> None:
    bad = names(batches)[2]
    drop_batches(platform, batches, rows, bad)
    instance.add_dynamic_partitions("batch_id", names(batches))

    def once() -> None:
        if as_one_run:
            assert not run(platform, instance, tags=range_tags(batches))
        else:
            went_well = {name: run(platform, instance, partition_key=name) for name in names(batches)}
            assert [name for name, well in went_well.items() if not well] == [bad]

    before_mb = psutil.Process().memory_info().rss / 2**20
    once()
    first = rows_of(platform, ROWS_IN_PLACE)
    assert len(first) == batches - 1
    once()
    assert rows_of(platform, ROWS_IN_PLACE) == first
    assert psutil.Process().memory_info().rss / 2**20 - before_mb < 500
    assert rows_of(platform, "SELECT status, count(*) FROM ingestion_metadata GROUP BY 1 ORDER BY 1") == [
        ("completed", batches - 1),
        ("failed", 1),
    ]
    ((notes,),) = rows_of(platform, f"SELECT notes FROM ingestion_metadata WHERE batch_id = '{bad}'")
    assert f"{bad}.csv" in str(notes)
    done = instance.get_materialized_partitions(dg.AssetKey("ratings_buffer"))
    assert done == set(names(batches)) - {bad}
