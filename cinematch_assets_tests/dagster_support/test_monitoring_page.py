"""Failed runs on the monitoring page, and the page after a run that failed."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from cinematch_assets.dagster_support.monitoring_page import materialize_page, read_failed_runs
from cinematch_assets.pipeline.monitoring.publish_page import KEY
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import drop, insert_movies

BAD = "userId,movieId,rating,timestamp\n1,10,9.0,5\n2,10,9.5,5\n"


@pytest.fixture
def failed(platform: Platform, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """A batch of which no row fits."""
    insert_movies(platform, (10, "Heat (1995)"))
    drop(platform, "batches/batch_w1.csv", BAD)
    instance.add_dynamic_partitions("batch_id", ["batch_w1"])
    return run_job("ingest_batch", platform, instance, partition_key="batch_w1")


def test_a_failed_run_is_on_the_page_that_it_leaves(
    platform: Platform, instance: dg.DagsterInstance, failed: dg.ExecuteInProcessResult
) -> None:
    assert not failed.success
    page = platform.store.read_bytes(KEY).decode()
    assert "1 thing needs attention" in page
    assert "batches/batch_w1.csv" in page
    (run,) = read_failed_runs(instance)
    assert (run.run_id, run.job, run.batch) == (failed.run_id, "ingest_batch", "batch_w1")
    assert "2 of 2 rows do not fit" in run.message
    metadata = materialize_page(platform, instance)
    assert metadata["summary"] == "1 thing needs attention; no model serves yet"
    assert metadata["page"].url == f"/{KEY}"
    assert metadata["to_do"].md_str.startswith("* **batches/batch&#95;w1.csv**: ")
    assert "Next: put a corrected file into the folder" in metadata["to_do"].md_str
    assert f'href="/runs/{failed.run_id}"' in platform.store.read_bytes(KEY).decode()


def test_older_runs_and_successful_ones_are_not(
    instance: dg.DagsterInstance, failed: dg.ExecuteInProcessResult
) -> None:
    assert failed.run_id
    assert read_failed_runs(instance, now=datetime.now(UTC) + timedelta(days=8)) == []
