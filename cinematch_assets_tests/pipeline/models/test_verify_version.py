"""Versions are rebuilt from landed contents, whatever became of the tables since, and differences are named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.ingest.release_rejects import release_rows
from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate, gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations, roll_back
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.models.verify_version import Outcome, Verification, verify_version
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.artifact import pack, unpack
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.model import choose_method, sha256_of
from cinematch_assets.recommender.rating_prediction.bayesian_fm import plan_sampling
from cinematch_assets.warehouse.model_registry import read_model_version
from cinematch_assets_tests.support.platforms import drop_history, load_table, make_platform, rows_of, take_in_history

pytestmark = pytest.mark.slow
"""Three versions are trained, and each comparison trains one more; ``cli/test_commands.py`` has a quick equal case."""

TIME_BUDGET_S = 0.1
FIRST, SECOND, THIRD = "run_11111111_v1", "run_22222222_v2", "run_33333333_v3"
VERIFY = """
import json, sys
from pathlib import Path
from cinematch_assets.pipeline.models.verify_version import verify_version
from cinematch_assets_tests.support.platforms import open_made_platform
print(json.dumps(verify_version(open_made_platform(Path(sys.argv[1]), sys.argv[2]), sys.argv[3]).as_metadata()))
"""


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[Platform]:
    """Three versions: of the file with released rows; with two batches, which are merged; after files were replaced.

    Afterwards a merged batch and the ratings file are replaced once more, and the champion is rolled back.
    """
    with migrated_database() as url:
        platform = make_platform(tmp_path_factory.mktemp("verify"), url, CINEMATCH_MAX_TEST_RMSE_LOSS="9")
        history = drop_history(platform, users=60, movies=60)
        take_in_history(platform)
        load_table(platform, "ratings", with_faults(history))
        release(platform)
        retrain(platform, "11111111", time_budget_s=TIME_BUDGET_S)
        load_batch(platform, "batch_w1", new_ratings(history, seed=1))
        load_batch(platform, "batch_w2", new_ratings(history, seed=2))
        retrain(platform, "22222222")
        load_batch(platform, "batch_w1", new_ratings(history, seed=3))
        load_table(platform, "ratings", history.sample(frac=0.9, random_state=4))
        load_batch(platform, "batch_w3", new_ratings(history, seed=5))
        retrain(platform, "33333333")
        load_batch(platform, "batch_w2", new_ratings(history, seed=6))
        load_table(platform, "ratings", history.sample(frac=0.8, random_state=7))
        roll_back(platform)
        yield platform


def retrain(platform: Platform, run_id: str, *, time_budget_s: float | None = None) -> GatedCandidate:
    gated = gate_candidate(platform, train_candidate(platform, run_id, time_budget_s=time_budget_s).version)
    assert gated.decision.promoted, gated.decision.reason
    publish_recommendations(platform)
    return gated


def with_faults(history: pd.DataFrame) -> pd.DataFrame:
    """The history with a row of a movie that is not known yet, and one with too many stars."""
    faults = pd.DataFrame({"userId": [1, 900], "movieId": [61, 1], "rating": [4.0, 9.0], "timestamp": [1, 2]})
    return pd.concat([history, faults])


def release(platform: Platform) -> None:
    """The catalogue grows, one movie changes its genres, both rejected rows are released, one with a correction."""
    movies = rows_of(platform, "SELECT movieId, title, genres FROM movies WHERE movieId > 5")
    changed = [*movies, (61, "Late (1999)", "Drama"), (7, "Seven (1995)", "War"), (62, "No genres", "")]
    frame = pd.DataFrame([row for row in changed if row != movies[1]], columns=["movieId", "title", "genres"])
    load_table(platform, "movies", frame)
    project_movies(platform)
    release_rows(platform, [], path="ratings.csv")
    ((row,),) = rows_of(platform, "SELECT id FROM ops.rejected_rows WHERE released_at IS NULL")
    assert isinstance(row, int)
    assert release_rows(platform, [row], correction="900,1,4.5,2").released == 1


def new_ratings(history: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Ratings of old and new users; some pairs are rated in the file too."""
    rows = history.sample(300, random_state=seed)
    users = np.where(np.arange(len(rows)) % 2 == 0, rows["userId"], rows["userId"] + 1_000)
    return rows.assign(userId=users, timestamp=rows["timestamp"] + 20_000_000)


def load_batch(platform: Platform, batch_id: str, rows: pd.DataFrame) -> None:
    load_table(platform, f"batches/{batch_id}", rows)
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.batches SET assessed_md5 = md5 WHERE batch_id = %s", [batch_id])


@contextmanager
def registry_with(platform: Platform, version: str, **columns: str) -> Iterator[None]:
    """Columns of a version's row hold other values, written in SQL, for the length of the block."""
    changes = ", ".join(f"{column} = {value}" for column, value in columns.items())
    restored = ", ".join(f"{column} = kept.{column}" for column in columns)
    with platform.warehouse.connect() as connection:
        connection.execute(
            f"CREATE TABLE kept AS SELECT * FROM ops.model_versions WHERE version = '{version}'".encode()
        )
        connection.execute(f"UPDATE ops.model_versions SET {changes} WHERE version = '{version}'".encode())
        try:
            yield
        finally:
            connection.execute(
                f"UPDATE ops.model_versions v SET {restored} FROM kept WHERE v.version = kept.version".encode()
            )
            connection.execute("DROP TABLE kept")


@contextmanager
def stored_as(platform: Platform, key: str, content: bytes | None) -> Iterator[None]:
    """An object has another content, or is missing, for the length of the block."""
    kept = platform.store.read_bytes(key)
    platform.store.delete(key)
    if content is not None:
        platform.store.put_bytes(key, content)
    try:
        yield
    finally:
        platform.store.put_bytes(key, kept)


def key_of(platform: Platform, version: str, table: str) -> str:
    ((key,),) = rows_of(
        platform,
        "SELECT store_key FROM ops.table_loads JOIN ops.model_versions "
        f"ON id = (trained_from -> 'loads' ->> '{table}')::int WHERE version = '{version}'",
    )
    return str(key)


def verify_elsewhere(platform: Platform, version: str, **environment: str) -> Verification:
    command = [sys.executable, "-c", VERIFY, str(platform.settings.home), platform.warehouse.url, version]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return Verification(**json.loads(done.stdout))


@pytest.mark.faults("determinism")
@pytest.mark.parametrize("version", [FIRST, SECOND, THIRD])
def test_each_promoted_version_is_rebuilt_byte_for_byte(platform: Platform, version: str) -> None:
    """Merges, released rows, replaced batches and files, and a rollback came after or before them."""
    verification = verify_version(platform, version)
    assert verification.outcome is Outcome.EQUAL, verification.sentence
    assert verification.rebuilt_sha256 == verification.registered_sha256
    assert verification.is_passed


def test_a_time_budget_of_one_run_is_recorded_with_its_version(platform: Platform) -> None:
    """Of four chains two are left; the version above is rebuilt by what the registry says."""
    first = platform.warehouse.run(read_model_version, FIRST)
    config = RecommenderConfig.model_validate(first.config)
    assert config == RecommenderConfig().within(TIME_BUDGET_S)
    assert plan_sampling(first.data_size, config).chains == 2
    assert choose_method(first.data_size, config)[0] == "bayesian_fm"
    assert platform.warehouse.run(read_model_version, SECOND).config == RecommenderConfig().model_dump(mode="json")


def test_versions_are_of_different_data(platform: Platform) -> None:
    hashes = rows_of(
        platform, "SELECT DISTINCT artifact_sha256, trained_from ->> 'ratings_md5' FROM ops.model_versions"
    )
    assert len(hashes) == 3


def test_maintenance_keeps_what_recent_versions_are_from(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.table_loads SET loaded_at = loaded_at - INTERVAL '1 year'")
    before = rows_of(platform, "SELECT count(*) FROM ops.table_loads")
    report = run_maintenance(platform, dry_run=True)
    assert report.deleted_objects == 0
    run_maintenance(platform)
    assert verify_version(platform, FIRST).outcome is Outcome.EQUAL
    assert rows_of(platform, "SELECT count(*) FROM ops.table_loads") <= before


def test_a_missing_content_is_named(platform: Platform) -> None:
    with stored_as(platform, key_of(platform, SECOND, "batches/batch_w1"), None):
        verification = verify_version(platform, SECOND)
        assert verify_version(platform, FIRST).outcome is Outcome.EQUAL
    assert verification.outcome is Outcome.NOT_REBUILT
    assert verification.sentence.startswith("the content of batches/batch_w1.csv (md5 ")
    assert "is missing" in verification.sentence
    assert not verification.is_passed


def test_a_content_that_was_changed_in_the_store_is_named(platform: Platform) -> None:
    with stored_as(platform, key_of(platform, SECOND, "batches/batch_w2"), b"userId,movieId,rating,timestamp\n"):
        verification = verify_version(platform, SECOND)
    assert "the content of batches/batch_w2.csv" in verification.sentence
    assert "was changed in the store" in verification.sentence


def test_other_settings_are_named(platform: Platform) -> None:
    with registry_with(platform, FIRST, seed="seed + 1"):
        verification = verify_version(platform, FIRST)
    assert (verification.outcome, verification.rebuilt_sha256) == (Outcome.DIFFERS, None)
    assert "other settings (config or seed)" in verification.sentence


def test_other_rows_are_named_with_their_numbers(platform: Platform) -> None:
    change = "jsonb_set(trained_from, '{rows,ratings}', '7')"
    with registry_with(platform, FIRST, trained_from=change):
        verification = verify_version(platform, FIRST)
    assert verification.outcome is Outcome.DIFFERS
    assert "training rows, and it was trained on 7" in verification.sentence


def test_a_hash_that_nothing_explains_is_said_to_be_wrong(platform: Platform) -> None:
    with registry_with(platform, FIRST, artifact_sha256=f"'{'0' * 64}'"):
        verification = verify_version(platform, FIRST)
    assert verification.outcome is Outcome.DIFFERS
    assert "the registered hash is not of this training" in verification.sentence


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("trained_from", "NULL", "a release that did not record"),
        ("artifact_format", "artifact_format - 1", "another release made it"),
        ("trained_from", "jsonb_set(trained_from, '{loads,ratings}', '999')", "it left retention"),
        ("trained_from", "trained_from #- '{loads,ratings}'", "no load of ratings was recorded"),
    ],
)
def test_a_version_without_a_usable_record_says_so(platform: Platform, column: str, value: str, sentence: str) -> None:
    with registry_with(platform, FIRST, **{column: value}):
        verification = verify_version(platform, FIRST)
    assert verification.outcome is Outcome.NOT_REBUILT
    assert sentence in verification.sentence


def test_another_release_is_named_and_differs(platform: Platform) -> None:
    """The stored artifact is another version's, and the release on record an older one."""
    ((sha256, key),) = rows_of(
        platform, f"SELECT artifact_sha256, artifact_key FROM ops.model_versions WHERE version = '{SECOND}'"
    )
    older = 'computed_by || \'{"release": "0.0.1"}\''
    with registry_with(platform, FIRST, artifact_sha256=f"'{sha256}'", artifact_key=f"'{key}'", computed_by=older):
        verification = verify_version(platform, FIRST)
    assert verification.outcome is Outcome.DIFFERS
    assert verification.sentence.startswith("computed by release 0.0.1, here ")
    assert verification.agreement is not None
    assert not verification.agreement.is_within_tolerance


def test_a_version_of_another_processor_agrees_within_the_tolerance(platform: Platform) -> None:
    """Numba compiles for any x86-64 and OpenBLAS takes its oldest kernel."""
    verification = verify_elsewhere(platform, SECOND, NUMBA_CPU_NAME="generic", OPENBLAS_CORETYPE="Prescott")
    assert verification.outcome in {Outcome.AGREES, Outcome.EQUAL}, verification.sentence
    if verification.outcome == Outcome.AGREES:
        assert verification.sentence.startswith("computed by blas ")


def test_a_model_that_only_looks_alike_does_not_agree(platform: Platform) -> None:
    """Processor and library on record are others, and the stored predictions are half a star higher."""
    ((sha256, key),) = rows_of(
        platform, f"SELECT artifact_sha256, artifact_key FROM ops.model_versions WHERE version = '{FIRST}'"
    )
    arrays, facts = unpack(platform.store.read_bytes(str(key)), str(sha256))
    numbers = arrays["rating_table.numbers"]  # the first is the mean
    content = pack({**arrays, "rating_table.numbers": numbers + 0.5 * (np.arange(len(numbers)) == 0)}, facts)
    platform.store.put_bytes("models/raised.model", content)
    with registry_with(
        platform,
        FIRST,
        artifact_sha256=f"'{sha256_of(content)}'",
        artifact_key="'models/raised.model'",
        computed_by='computed_by || \'{"numpy": "0.1", "numba_cpu": "other"}\'',
    ):
        verification = verify_version(platform, FIRST)
    assert verification.outcome is Outcome.DIFFERS
    assert verification.sentence.startswith("computed by numba_cpu other, here ")
