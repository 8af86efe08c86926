"""The whole loop with its objects in a bucket, while every third request to the bucket goes wrong."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import boto3
import dagster as dg
import pytest

from cinematch_assets.cli.demo_run import Loop, Stopwatch
from cinematch_assets.dagster_support.open_platform import with_open_platform
from cinematch_assets.definitions import defs
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.models.publish import roll_back
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.samples.catalogue import lay_out, open_sample
from cinematch_assets.storage.s3 import S3Store, open_s3_client
from cinematch_assets_tests.support.faulty_network import FAULTS, HANG_S, FaultyNetwork, faulty_network
from cinematch_assets_tests.support.platforms import drop_history, make_platform, rows_of

pytestmark = [pytest.mark.faults("s3"), pytest.mark.slow, pytest.mark.timeout(900)]
SAMPLE = "synthetic:20000"
DEMO_RATINGS = 99_000
"""As many as the demo's history has, nearly."""
RESULTS = (
    "SELECT movieid, title, genres, pca_features FROM movies ORDER BY 1",
    "SELECT userid, movieid, rating, data_split, batch_id FROM ratings ORDER BY 1, 2",
    "SELECT batch_id, feature_name, drift_score, alert_triggered FROM drift_alerts ORDER BY 1, 2",
    "SELECT state, artifact_sha256 FROM ops.model_versions ORDER BY ordinal",
    "SELECT userid, rank, movieid, score FROM recommendations ORDER BY 1, 2",
    "SELECT batch_id, record_count, status FROM ingestion_metadata ORDER BY 1",
)


@pytest.fixture
def network(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyNetwork]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="loop", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    with faulty_network(aws) as network:
        monkeypatch.setenv("AWS_ENDPOINT_URL", network.url)
        yield network


def every_third(network: FaultyNetwork) -> None:
    """Spoil every third request, with each kind of fault in turn: no request meets more than two in a row."""
    asked = 0

    def fault(_method: str, _path: str) -> str | None:
        nonlocal asked
        asked += 1
        return FAULTS[asked // 3 % len(FAULTS)] if asked % 3 == 0 else None

    network.fault_of = fault


@contextmanager
def loop_of(platform: Platform, folder: Path) -> Iterator[Loop]:
    storage = folder / "instance"
    storage.mkdir()
    repository = with_open_platform(defs(), platform).get_repository_def()
    with dg.DagsterInstance.ephemeral(tempdir=str(storage)) as instance:
        yield Loop(platform, instance, repository, Stopwatch())


def run_weeks(loop: Loop) -> list[list[tuple[object, ...]]]:
    """Catalogue, model, a calm batch, a drifted one, retraining, promotion, rollback; return what the tables hold."""
    assert len(drop_history(loop.platform, users=500, movies=400)) > DEMO_RATINGS
    loop.run_until_idle("movies and ratings")
    for drift in (0.0, 0.7):
        simulate_next(loop.platform, rows=4_300, drift=drift)
        loop.run_until_idle("a batch")
    promoted = [rows_of(loop.platform, query) for query in RESULTS]
    roll_back(loop.platform)
    load_champion(loop.platform)
    return [*promoted, rows_of(loop.platform, RESULTS[4])]


def test_the_loop_in_a_faulty_bucket_ends_as_it_does_in_a_folder(
    network: FaultyNetwork,
    tmp_path: Path,
    migrated_database: Callable[[], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CINEMATCH_RETRAIN_COOLDOWN_S", "0")
    results = {}
    for name in ("folder", "bucket"):
        home = tmp_path / name
        home.mkdir()
        with migrated_database() as url:
            platform = make_platform(home, url, CINEMATCH_RETRAIN_COOLDOWN_S="0")
            if name == "bucket":
                store = S3Store("loop", "store", open_s3_client(read_timeout_s=HANG_S - 1), home / "staging")
                platform = dataclasses.replace(platform, store=store)
                every_third(network)
            with loop_of(platform, home) as loop:
                results[name] = run_weeks(loop)
            states = [state for state, _ in results[name][3]]
            assert states == ["promoted", "promoted"], "the drifted batch has led to a second champion"
    assert results["bucket"] == results["folder"]
    assert all(network.seen[fault] > 0 for fault in FAULTS), network.seen
    network.always(None)
    assert not [key for key in store.keys("") if "staging" in key or "unfinished" in key]
    assert list((tmp_path / "bucket/staging").iterdir()) == []


def test_a_bucket_that_is_away_is_one_error_and_the_batch_is_loaded_once_it_is_back(
    network: FaultyNetwork,
    tmp_path: Path,
    migrated_database: Callable[[], AbstractContextManager[str]],
) -> None:
    with migrated_database() as url:
        client = open_s3_client(read_timeout_s=60, max_attempts=2)
        platform = dataclasses.replace(
            make_platform(tmp_path, url, CINEMATCH_RETRY_GAP_S="0"),
            store=S3Store("loop", "store", client, tmp_path / "staging"),
        )
        lay_out(open_sample(SAMPLE, tmp_path / "samples"), Path(platform.folder.spec))
        with loop_of(platform, tmp_path) as loop:
            loop.run_until_idle("movies and ratings")
            batch = simulate_next(platform, rows=1_500)
            network.always("reset")
            with pytest.raises(
                CinematchError, match=r"ingest_batch batch_w1 failed: .*s3://loop/store \(CINEMATCH_STORE\)"
            ):
                loop.run_until_idle("a batch")
            assert rows_of(platform, "SELECT count(*) FROM ratings_buffer") == [(0,)]
            network.always(None)
            loop.run_until_idle("the bucket is back")
        assert rows_of(platform, "SELECT count(*), count(DISTINCT (userid, movieid)) FROM ratings_buffer") == [
            (batch.rows, batch.rows)
        ]
