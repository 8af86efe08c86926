"""Training on Spark from a run: what Dagster shows, and what a failure counts as.

The quick tests put a job in numpy in Spark's place (``support.exchanged_job``), through Pipes on files, and through S3
with moto as EMR Serverless (``support.emr_serverless``). The slow tests start Spark itself: with two workers, and by
spark-submit in the place of EMR.
"""

import io
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import numpy as np
import psutil
import pytest

from cinematch_assets.dagster_support import spark_pipes
from cinematch_assets.dagster_support.runs import CAUSE_TAG
from cinematch_assets.dagster_support.spark_pipes import (
    SCRIPT,
    SparkJobError,
    SparkKilledError,
    with_spark,
    with_spark_outside_runs,
)
from cinematch_assets.faults import Cause, cause_of
from cinematch_assets.pipeline.models import spark_environment
from cinematch_assets.pipeline.models.spark_environment import SparkUnavailableError, require_spark
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.config import SparkAlsConfig
from cinematch_assets.recommender.progress import no_progress
from cinematch_assets.recommender.rating_prediction.residual_als import ResidualFit, ResidualRows
from cinematch_assets.settings import Settings
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets_tests.support.definitions import repository, run_job
from cinematch_assets_tests.support.emr_serverless import Drive, Emr, SparkSubmit
from cinematch_assets_tests.support.platforms import drop_history, make_platform, take_in_history

JOB = Path(__file__).resolve().parents[1] / "support" / "exchanged_job.py"
ROLE = "arn:aws:iam::123456789012:role/cinematch-spark"
CONFIG = SparkAlsConfig(factors=2, sweeps=2, holdout_sweeps=1)
GivenEmr = tuple[Platform, Emr]


def slow(*values: object) -> Any:
    """A case of which another, quicker run has one of its kind."""
    return pytest.param(*values, marks=pytest.mark.slow)


AT = np.arange(400)
ROWS = ResidualRows(
    (AT // 10).astype(np.int32),
    (AT % 10).astype(np.int32),
    (AT % 7 - 3).astype(np.float32),
    np.where(AT % 9 == 0, np.float32(np.nan), (AT % 7 - 3).astype(np.float32)),
)


def make_bucket() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})


def platform_at(home: Path, **settings: str) -> Platform:
    chosen = Settings.from_env({"CINEMATCH_HOME": str(home), "CINEMATCH_TRAINER": "spark", **settings})
    store = open_store(chosen.store_url, scratch=home / "staging")
    return Platform(settings=chosen, folder=None, store=store, warehouse=None)  # type: ignore[arg-type]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A platform whose Spark is the job in numpy, started as Spark's script is."""

    @contextmanager
    def no_home(home: Path) -> Iterator[Path]:
        yield home

    monkeypatch.setattr(spark_pipes, "SCRIPT", JOB)
    monkeypatch.setattr(spark_pipes, "spark_home", no_home)
    monkeypatch.setattr(spark_environment, "require_pyspark", lambda: "4")
    monkeypatch.setattr(spark_environment, "require_java", lambda: "17")
    return platform_at(tmp_path)


def fit_in_a_run(platform: Platform) -> tuple[dg.ExecuteInProcessResult, list[ResidualFit]]:
    """Fit within an asset's step, as ``recommender_model`` does."""
    fits = []

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        trainer = with_spark(platform, context).residual_trainer
        assert trainer is not None
        fits.append(trainer(ROWS, CONFIG, 1, no_progress))
        return dg.MaterializeResult(metadata={"own": 1})

    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([model], raise_on_error=False, instance=instance), fits


def error_of(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.error is not None
    return str(failure.step_failure_data.error.to_string())


def fit_by_a_command(platform: Platform) -> ResidualFit:
    trainer = with_spark_outside_runs(platform).residual_trainer
    assert trainer is not None
    return trainer(ROWS, CONFIG, 1, no_progress)


def test_a_run_shows_lines_and_figures_of_the_job(
    here: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXCHANGED_JOB_END", "well")
    result, (fit,) = fit_in_a_run(here)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}
    assert shown == {"own": 1, "spark/workers": 2, "spark/workers_lost": 0, "spark/spark": "numpy's"}
    assert "the job has begun" in capsys.readouterr().err
    assert fit.factors.user_factors.shape == (40, 2)
    assert fit.without_holdout is not None
    assert fit.computed_by == {"spark": "numpy's"}
    assert list(here.store.keys("spark/")) == []


@pytest.mark.parametrize(
    ("end", "error", "cause", "said"),
    [
        slow("killed unheard", SparkKilledError, Cause.SURROUNDINGS, "killed by signal 9, before it could say why"),
        ("killed", SparkKilledError, Cause.SURROUNDINGS, "killed by signal 9"),
        slow("surroundings", SparkKilledError, Cause.SURROUNDINGS, "it ended by a surroundings"),
        slow("bug", SparkJobError, Cause.BUG, "it ended by a bug"),
    ],
)
def test_a_killed_driver_is_told_from_a_fit_that_fails(
    here: Platform, monkeypatch: pytest.MonkeyPatch, end: str, error: type[Exception], cause: Cause, said: str
) -> None:
    monkeypatch.setenv("EXCHANGED_JOB_END", end)
    with pytest.raises(error, match=said) as caught:
        fit_by_a_command(here)
    assert cause_of(caught.value) is cause
    assert list(here.store.keys("spark/")) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_killed_driver_is_a_failed_run_that_the_sensor_tries_again(
    here: Platform,
    tmp_path: Path,
    database_url_18: str,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"CINEMATCH_TRAINER": "spark", "CINEMATCH_RETRY_GAP_S": "0", "CINEMATCH_RETRAIN_COOLDOWN_S": "0"}
    platform = make_platform(tmp_path / "home", database_url_18, **settings)
    drop_history(platform, users=60, movies=60)
    take_in_history(platform)

    def tick() -> dg.RunRequest:
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository(), resources={"platform": platform}
        )
        request = repository().get_sensor_def("retraining_sensor")(context)
        assert isinstance(request, dg.RunRequest), request
        return request

    def run(request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        return run_job("retrain", platform, instance, tags={**request.tags, "dagster/run_key": str(request.run_key)})

    keys = []
    monkeypatch.setenv("EXCHANGED_JOB_END", "killed")
    for _ in range(2):
        request = tick()
        keys.append(request.run_key)
        failed = run(request)
        assert not failed.success
        cause = instance.get_run_by_id(failed.run_id).tags[f"{CAUSE_TAG}recommender_model"]  # type: ignore[union-attr]
        assert cause.startswith("surroundings: training on Spark: its process was killed by signal 9"), cause
    assert list(platform.store.keys("spark/")) == []
    monkeypatch.setenv("EXCHANGED_JOB_END", "well")
    last = tick()
    assert last.run_key not in keys
    assert run(last).success
    champion = platform.warehouse.run(read_champion)
    assert champion is not None
    assert champion.config["method"] == "spark_als"


def test_without_the_extra_no_run_starts_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise SparkUnavailableError("CINEMATCH_TRAINER=spark needs pyspark, the extra spark")

    monkeypatch.setattr(spark_environment, "require_pyspark", missing)
    result, _ = fit_in_a_run(platform_at(tmp_path))
    assert "SparkUnavailableError: CINEMATCH_TRAINER=spark needs pyspark" in error_of(result)


def test_a_store_on_s3_is_not_what_spark_of_this_machine_reads(tmp_path: Path, aws: str) -> None:
    make_bucket()
    here, on_s3 = platform_at(tmp_path), platform_at(tmp_path, CINEMATCH_STORE="s3://lake/x")
    on_emr = platform_at(
        tmp_path, CINEMATCH_STORE="s3://lake/x", CINEMATCH_EMR_APPLICATION="00abc", CINEMATCH_EMR_ROLE=ROLE
    )
    stores = [with_spark_outside_runs(each).residual_trainer.store for each in (here, on_s3, on_emr)]  # type: ignore[union-attr]
    assert stores == [here.store, LocalStore(tmp_path / "exchange"), on_emr.store]


@pytest.fixture
def on_emr(tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Drive], GivenEmr]]:
    """Give a platform that trains on EMR Serverless, whose jobs run as asked."""
    monkeypatch.setattr(spark_pipes, "EMR_POLL_S", 0.05)
    monkeypatch.setattr(spark_pipes, "S3_POLL_S", 0.1)
    make_bucket()
    with ExitStack() as servers:

        def given(drive: Drive) -> GivenEmr:
            emr = Emr(aws, drive)
            monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", servers.enter_context(emr.serve()))
            application = boto3.client("emr-serverless").create_application(
                name="spark", releaseLabel="emr-7.9.0", type="SPARK"
            )["applicationId"]
            settings = {
                "CINEMATCH_STORE": "s3://lake/cinematch",
                "CINEMATCH_EMR_APPLICATION": application,
                "CINEMATCH_EMR_ROLE": ROLE,
                "CINEMATCH_EMR_PARAMETERS": "--conf spark.executor.memory=14g",
            }
            return platform_at(tmp_path, **settings), emr

        yield given


def in_numpy(end: str, state: str, details: str = "") -> Drive:
    """The job in numpy in the place of Spark and its driver; EMR then tells of ``state``."""

    def drive(submit: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, str]:
        environment = {**os.environ, **variables, "EXCHANGED_JOB_END": end, "PYTHONPATH": str(JOB.parents[2])}
        command = [sys.executable, str(JOB), *submit["entryPointArguments"]]
        subprocess.run(command, env=environment, check=False, capture_output=True)
        return state, details

    return drive


def objects_in_the_bucket() -> int | None:
    return boto3.client("s3").list_objects_v2(Bucket="lake").get("KeyCount")


def test_a_job_on_emr_serverless_trains_and_its_messages_come_through_s3(
    on_emr: Callable[[Drive], GivenEmr], capsys: pytest.CaptureFixture[str]
) -> None:
    code: dict[str, bytes] = {}

    def keep_code(submit: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, str]:
        archive = submit["sparkSubmitParameters"].partition("--py-files ")[2].split()[0]
        for uri in (submit["entryPoint"], archive):
            key = uri.removeprefix("s3://lake/")
            code[Path(key).name] = boto3.client("s3").get_object(Bucket="lake", Key=key)["Body"].read()
        return in_numpy("well", "SUCCESS")(submit, variables)

    platform, emr = on_emr(keep_code)
    result, fits = fit_in_a_run(platform)
    assert result.success, error_of(result)
    log = capsys.readouterr().err
    assert "the job has begun" in log
    assert "not supported" not in log
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["spark/workers"].value == 2
    assert fits[0].factors.user_factors.shape == (40, 2)
    (asked,) = emr.submitted
    assert asked["executionRoleArn"] == ROLE
    assert "--conf spark.executor.memory=14g" in asked["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    # The script as it is, and Pipes as an archive that Python imports from.
    assert code[SCRIPT.name] == SCRIPT.read_bytes()
    assert "dagster_pipes/__init__.py" in zipfile.ZipFile(io.BytesIO(code["dagster_pipes.zip"])).namelist()
    assert list(platform.store.keys("spark/")) == []
    assert objects_in_the_bucket() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "state", "details", "error", "said"),
    [
        (
            "killed unheard",
            "FAILED",
            "Job failed. ExitCode: 137.",
            SparkKilledError,
            r"is FAILED \(Job failed\. ExitCode: 137",
        ),
        ("killed", "CANCELLED", "", SparkKilledError, "is CANCELLED, before"),
        ("surroundings", "FAILED", "", SparkKilledError, "it ended by a surroundings"),
        ("bug", "FAILED", "", SparkJobError, "it ended by a bug"),
    ],
)
def test_the_states_that_a_job_on_emr_fails_in(
    on_emr: Callable[[Drive], GivenEmr], end: str, state: str, details: str, error: type[Exception], said: str
) -> None:
    platform, _ = on_emr(in_numpy(end, state, details))
    with pytest.raises(error, match=said):
        fit_by_a_command(platform)
    assert objects_in_the_bucket() == 0


@pytest.mark.slow
def test_an_application_that_is_not_there_is_a_fault_of_the_surroundings(
    on_emr: Callable[[Drive], GivenEmr],
) -> None:
    platform, _ = on_emr(in_numpy("well", "SUCCESS"))
    settings = platform.settings.model_copy(update={"emr_application": "00missing"})
    with pytest.raises(Exception, match=r"00missing|not exist") as caught:
        fit_by_a_command(replace(platform, settings=settings))
    assert cause_of(caught.value) is Cause.SURROUNDINGS


# Spark itself, with two workers.

REAL_CONFIG = SparkAlsConfig(factors=16, sweeps=12, holdout_sweeps=1, min_blocks=2)
IN_MID_FIT = r" - fit: \d+ % of the tasks"
WAIT_S = 1_800.0
"""Spark starts in 20 s on a machine with nothing else to do, and in ten minutes on one with far too much."""


def real_rows(rows: int = 100_000, users: int = 1_000, movies: int = 300) -> ResidualRows:
    """Residuals of three factors; a row a pair."""
    rng = np.random.default_rng(0)
    pairs = np.sort(rng.choice(users * movies, rows, replace=False))
    u, m = pairs // movies, pairs % movies
    p, q = rng.normal(0, 0.6, (users, 3)), rng.normal(0, 0.6, (movies, 3))
    residuals = (np.einsum("nk,nk->n", p[u], q[m]) + rng.normal(0, 0.3, rows)).astype(np.float32)
    held = np.where(rng.random(rows) < 0.05, np.float32(np.nan), residuals)
    return ResidualRows(u.astype(np.int32), m.astype(np.int32), residuals, held)


def require_real_spark() -> None:
    try:
        require_spark(Settings.from_env({"CINEMATCH_TRAINER": "spark"}))
    except SparkUnavailableError as missing:
        pytest.skip(str(missing))


def fit_on_spark(
    platform: Platform, when: str = "", kill: str = "", config: SparkAlsConfig = REAL_CONFIG
) -> tuple[dg.ExecuteInProcessResult, list[ResidualFit], list[str]]:
    """Fit on Spark; at the first line that matches ``when``, kill a process whose command names ``kill``."""
    lines: list[str] = []
    fits: list[ResidualFit] = []

    @dg.logger
    def kept(_: dg.InitLoggerContext) -> logging.Logger:
        logger, handler = logging.Logger("kept"), logging.Handler()  # noqa: LOG001  nothing of it stays
        handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
        logger.addHandler(handler)
        return logger

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        trainer = with_spark(platform, context).residual_trainer
        assert trainer is not None
        fits.append(trainer(real_rows(), config, 1, no_progress))
        return dg.MaterializeResult()

    def kill_one() -> None:
        deadline = time.monotonic() + WAIT_S
        while kill and time.monotonic() < deadline and not ended.wait(0.2):
            if any(re.search(when, line) for line in lines):
                processes = [each for each in psutil.Process().children(recursive=True) if _is(each, kill)]
                processes[0].kill()
                return

    ended = threading.Event()
    killer = threading.Thread(target=kill_one)
    killer.start()
    job = dg.Definitions(assets=[model], loggers={"kept": kept}).resolve_implicit_global_asset_job_def()
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance, run_config={"loggers": {"kept": {}}}, raise_on_error=False
            )
    finally:
        ended.set()
        killer.join()
    assert list(platform.store.keys("spark/")) == []
    return result, fits, lines


def assert_factors_explain_residuals(fit: ResidualFit) -> None:
    rows = real_rows()
    u, m = np.searchsorted(fit.factors.users, rows.users), np.searchsorted(fit.factors.movies, rows.movies)
    left = rows.residuals - np.einsum("nk,nk->n", fit.factors.user_factors[u], fit.factors.movie_factors[m])
    assert left.std() < 0.6 * rows.residuals.std()


def _is(process: psutil.Process, kind: str) -> bool:
    try:
        return any(kind in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_two_workers_train_and_when_one_is_killed_the_model_is_the_same(tmp_path: Path) -> None:
    require_real_spark()
    whole, (fit,), lines = fit_on_spark(platform_at(tmp_path / "whole"))
    assert whole.success, error_of(whole)
    assert "fit: workers: 2" in "\n".join(lines)
    assert_factors_explain_residuals(fit)

    home = tmp_path / "killed"
    killed, (again,), lines = fit_on_spark(platform_at(home), IN_MID_FIT, "CoarseGrainedExecutor")
    assert list((home / "spark-scratch").iterdir()) == []
    assert killed.success, error_of(killed)
    assert any("a worker was lost" in line for line in lines), lines
    np.testing.assert_array_equal(again.factors.user_factors, fit.factors.user_factors)
    np.testing.assert_array_equal(again.factors.movie_factors, fit.factors.movie_factors)
    (event,) = killed.get_asset_materialization_events()
    assert event.materialization.metadata["spark/workers_lost"].value == 1


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_a_driver_that_is_killed_in_mid_fit_is_a_fault_of_the_surroundings(tmp_path: Path) -> None:
    require_real_spark()
    killed, fits, _ = fit_on_spark(platform_at(tmp_path), IN_MID_FIT, "SparkSubmit")
    assert list((tmp_path / "spark-scratch").iterdir()) == []
    assert not killed.success
    assert fits == []
    assert "SparkKilledError" in error_of(killed)


# Spark itself, started by spark-submit as on EMR Serverless, with Pipes through S3.


def spark_submit(tmp_path: Path, before: Callable[[Path], None] = lambda _: None) -> SparkSubmit:
    require_real_spark()
    return SparkSubmit("lake", tmp_path / "mounted", before, tmp_path / "spark-submit.log")


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_the_script_itself_trains_by_spark_submit_and_answers_through_s3(
    on_emr: Callable[[Drive], GivenEmr], tmp_path: Path
) -> None:
    platform, _ = on_emr(spark_submit(tmp_path))
    result, fits, lines = fit_on_spark(platform)
    assert result.success, error_of(result) + (tmp_path / "spark-submit.log").read_text()
    assert_factors_explain_residuals(fits[0])
    assert fits[0].without_holdout is not None
    assert set(fits[0].computed_by) == {"spark", "java"}
    (event,) = result.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}
    assert (shown["spark/factors_sweeps"], shown["spark/holdout_factors_sweeps"]) == (12, 1)
    assert "fit: 12 sweeps in" in "\n".join(lines)
    assert objects_in_the_bucket() == 0


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_a_fit_that_fails_under_spark_submit_says_why_through_s3(
    on_emr: Callable[[Drive], GivenEmr], tmp_path: Path
) -> None:
    def remove_rows(top: Path) -> None:
        (rows,) = top.rglob("ratings")
        shutil.rmtree(rows)

    platform, _ = on_emr(spark_submit(tmp_path, remove_rows))
    result, fits, _ = fit_on_spark(platform)
    assert not result.success
    assert fits == []
    assert re.search(
        r"SparkJobError: AnalysisException: \[PATH_NOT_FOUND\].*s3://lake/cinematch/spark", error_of(result)
    )
    assert objects_in_the_bucket() == 0


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_a_driver_that_is_killed_under_spark_submit_is_a_fault_of_the_surroundings(
    on_emr: Callable[[Drive], GivenEmr], tmp_path: Path
) -> None:
    platform, _ = on_emr(spark_submit(tmp_path))
    # Messages come every ten seconds: by the one on its start, because the fit may be over with its own.
    config = REAL_CONFIG.model_copy(update={"sweeps": 20, "holdout_sweeps": 20})
    killed, fits, _ = fit_on_spark(platform, "on Java .* started in", "org.apache.spark.deploy.SparkSubmit", config)
    assert not killed.success
    assert fits == []
    said = error_of(killed)
    assert "SparkKilledError: training on Spark: Spark's driver ended in the middle of the work" in said, said
    assert objects_in_the_bucket() == 0
