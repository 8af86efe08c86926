"""Many batches at once, one of them poisoned, twice: as many runs and as one."""

from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import psutil
import pytest

from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_movies_file, load_ratings_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import a_platform, drop, drop_history, rows_of

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
ROWS_IN_PLACE = (
    "SELECT batch_id, count(*), sum(hashtext(ctid::text || xmin::text)) FROM ratings_buffer GROUP BY 1 ORDER BY 1"
)


def names(batches: int) -> list[str]:
    return [f"batch_w{number:02d}" for number in range(1, batches + 1)]


def drop_batches(platform: Platform, batches: int, rows: int, poisoned: str) -> None:
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
        drop(platform, f"batches/{name}.csv", batch.assign(rating=99.0) if name == poisoned else batch)


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> Platform:
    made = a_platform(tmp_path, database_url_18)
    drop_history(made)
    for table in ("movies", "ratings"):
        land_table(made, table)
    load_movies_file(made)
    load_ratings_file(made)
    return made


def run(platform: Platform, instance: dg.DagsterInstance, **how: object) -> bool:
    """Land and load, which is what rows can be lost in."""
    job = repository().get_job("ingest_batch")
    wanted = [dg.AssetKey("raw_ratings_batch"), dg.AssetKey("ratings_buffer")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Platform, "open", lambda: platform)
        result = job.execute_in_process(
            instance=instance,
            asset_selection=wanted,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
            **how,
        )
    return bool(result.success)


@pytest.mark.parametrize(
    ("batches", "rows"), [(6, 300), pytest.param(52, 43_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("as_one_run", [False, True], ids=["many_runs", "one_run"])
def test_a_poisoned_batch_fails_alone_and_a_second_pass_changes_no_row(
    platform: Platform, batches: int, rows: int, as_one_run: bool, instance: dg.DagsterInstance
) -> None:
    poisoned = names(batches)[2]
    drop_batches(platform, batches, rows, poisoned)
    instance.add_dynamic_partitions("batch_id", names(batches))

    def once() -> None:
        if as_one_run:
            tags = dict(zip(RANGE, (names(batches)[0], names(batches)[-1]), strict=True))
            assert not run(platform, instance, tags=tags)
        else:
            went_well = {name: run(platform, instance, partition_key=name) for name in names(batches)}
            assert [name for name, well in went_well.items() if not well] == [poisoned]

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
    ((notes,),) = rows_of(platform, f"SELECT notes FROM ingestion_metadata WHERE batch_id = '{poisoned}'")
    assert f"{poisoned}.csv" in str(notes)
    done = instance.get_materialized_partitions(dg.AssetKey("ratings_buffer"))
    assert done == set(names(batches)) - {poisoned}
