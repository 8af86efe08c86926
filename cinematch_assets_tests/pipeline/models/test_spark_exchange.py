"""What goes to Spark and comes back; with ALS in numpy instead of Spark, through the same files."""

import os
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.models import spark_exchange
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.spark_exchange import (
    SparkJob,
    SparkTrainer,
    read_factors,
    remove_exchanged,
    write_rows,
)
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.models.verify_version import Outcome, verify_version
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.config import SparkAlsConfig
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.rating_prediction.residual_als import ResidualRows, UnusableFactorsError
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.warehouse.model_registry import read_model_version
from cinematch_assets_tests.support.exchanged_als import VERSIONS, fit_in_numpy
from cinematch_assets_tests.support.platforms import drop_history, make_platform, rows_of, take_in_history

CONFIG = SparkAlsConfig(factors=2, min_blocks=3)


def some_rows(count: int, users: int = 50) -> ResidualRows:
    """Rows by user, every tenth of them held out."""
    at = np.arange(count)
    residuals = (at % 7 - 3).astype(np.float32)
    held = np.where(at % 10 == 0, np.float32(np.nan), residuals / 2)
    return ResidualRows((at * users // count + 1).astype(np.int32), (at % 11).astype(np.int32), residuals, held)


def some_job(store: LocalStore, rows: ResidualRows) -> SparkJob:
    return SparkJob(store, "spark/abc", len(rows), has_holdout=True, config=CONFIG, seed=1)


def test_a_block_of_users_is_one_file_and_keeps_the_order_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_exchange, "ROWS_PER_WRITE", 64)
    rows = some_rows(500)
    job = some_job(LocalStore(tmp_path), rows)
    write_rows(job, rows)
    files = sorted((tmp_path / job.ratings).iterdir())
    assert [file.name for file in files] == ["block-00000.parquet", "block-00001.parquet", "block-00002.parquet"]
    for block, file in enumerate(files):
        found = pq.read_table(file).to_pandas()
        mine = rows.users % 3 == block
        np.testing.assert_array_equal(found["user"], rows.users[mine])
        np.testing.assert_array_equal(found["movie"], rows.movies[mine])
        np.testing.assert_array_equal(found["residual"], rows.residuals[mine])
        assert rows.holdout_residuals is not None
        np.testing.assert_array_equal(found["holdout_residual"].isna(), np.isnan(rows.holdout_residuals[mine]))
        assert pq.ParquetFile(file).metadata.num_row_groups > 1


def test_writing_needs_no_more_memory_for_more_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_exchange, "ROWS_PER_WRITE", 20_000)
    peaks = []
    for count in (100_000, 800_000):
        rows = some_rows(count)
        job = replace(some_job(LocalStore(tmp_path), rows), key=f"spark/{count}")
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        write_rows(job, rows)
        peaks.append(tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before)
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0], peaks


def test_factors_of_several_files_are_read_by_ascending_id(tmp_path: Path) -> None:
    for side in ("users", "movies"):
        folder = tmp_path / "spark/abc/factors" / side
        folder.mkdir(parents=True)
        for part, ids in enumerate(([5, 1], [], [3])):
            table = pa.table(
                {"id": pa.array(ids, pa.int32()), "features": pa.array([[i, -i] for i in ids], pa.list_(pa.float32()))}
            )
            pq.write_table(table, folder / f"part-{part}.parquet")
    found = read_factors(LocalStore(tmp_path), "spark/abc/factors")
    assert found.users.tolist() == [1, 3, 5]
    assert found.user_factors.tolist() == [[1, -1], [3, -3], [5, -5]]
    assert (found.users.dtype, found.user_factors.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([], "wrote no factors"),
        ([[1.0], [1.0, 2.0]], "of different lengths"),
    ],
)
def test_factors_that_cannot_be_read_are_refused(tmp_path: Path, features: list[list[float]], said: str) -> None:
    for side in ("users", "movies"):
        folder = tmp_path / "f" / side
        folder.mkdir(parents=True)
        for part, row in enumerate(features):
            table = pa.table({"id": pa.array([part], pa.int32()), "features": pa.array([row], pa.list_(pa.float32()))})
            pq.write_table(table, folder / f"part-{part}.parquet")
    with pytest.raises(UnusableFactorsError, match=said):
        read_factors(LocalStore(tmp_path), "f")


def test_nothing_of_a_training_stays_in_the_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    rows = some_rows(300)
    fit = SparkTrainer(store, fit_in_numpy)(rows, CONFIG, 1, no_progress)
    assert len(fit.factors.users) == 50
    assert fit.without_holdout is not None

    def broken(job: SparkJob, progress: Progress) -> Mapping[str, str]:
        fit_in_numpy(job, progress)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        SparkTrainer(store, broken)(rows, CONFIG, 1, no_progress)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_training_left_is_removed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_bytes("models/kept", b"")
    store.put_bytes("spark/abc/ratings/block-00000.parquet", b"")
    (tmp_path / "spark/abc/.hidden.crc").touch()
    remove_exchanged(store)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept"]


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[Platform]:
    """A platform whose trainer is Spark, with numpy in its place."""
    with migrated_database() as url:
        platform = make_platform(tmp_path_factory.mktemp("exchange"), url, CINEMATCH_TRAINER="spark")
        platform = replace(platform, residual_trainer=SparkTrainer(platform.store, fit_in_numpy))
        drop_history(platform, users=80, movies=60)
        take_in_history(platform)
        yield platform


@pytest.mark.slow
def test_no_step_after_training_knows_which_trainer_it_was(trained: Platform) -> None:
    candidate = train_candidate(trained, "aaaaaaaa")
    assert candidate.model.method.startswith("spark_als + ease")
    gated = gate_candidate(trained, candidate.version)
    assert gated.decision.promoted, gated.decision.reason
    assert publish_recommendations(trained).rows > 0
    ((lists,),) = rows_of(trained, "SELECT count(DISTINCT userid) FROM recommendations")
    assert lists == 80
    version = trained.warehouse.run(read_model_version, candidate.version)
    assert version.computed_by is not None
    assert {name: version.computed_by[name] for name in VERSIONS} == VERSIONS
    assert version.config["method"] == "spark_als"

    verified = verify_version(trained, candidate.version)
    assert (verified.outcome, verified.rebuilt_sha256) == (Outcome.EQUAL, version.artifact_sha256)


def test_rows_that_a_killed_training_left_are_deleted_by_maintenance(platform: Platform) -> None:
    for key in ("spark/old/ratings/block-00000.parquet", "spark/new/ratings/block-00000.parquet"):
        platform.store.put_bytes(key, b"ratings")
    assert isinstance(platform.store, LocalStore)
    os.utime(platform.store.root / "spark/old/ratings/block-00000.parquet", (0, 0))
    run_maintenance(platform)
    assert list(platform.store.keys("spark/")) == ["spark/new/ratings/block-00000.parquet"]
