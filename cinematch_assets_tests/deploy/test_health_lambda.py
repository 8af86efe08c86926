"""The function that measures the platform's health, on a warehouse and a storage of Dagster."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import boto3
import dagster as dg
import psycopg
import pytest
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres import DagsterPostgresStorage

from cinematch_assets_tests.support.lambdas import AWS, load_function
from cinematch_assets_tests.support.servers import Postgres, migrated_template

DAEMONS = ("SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR", "MONITORING")


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(AWS / "lambda"))
    return load_function("health")


@pytest.fixture
def warehouse(postgres15: Postgres, aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    boto3.client("secretsmanager").create_secret(Name="password", SecretString=json.dumps({"password": "p@ss/word"}))
    with postgres15.database(migrated_template(postgres15)) as url:
        monkeypatch.setenv("WAREHOUSE_URL", url.replace("postgres@", "analyst@"))
        monkeypatch.setenv("WAREHOUSE_SECRET", "password")
        monkeypatch.setenv("STORAGE_BUDGET_MB", "20")
        yield url


@pytest.fixture
def instance(postgres15: Postgres, warehouse: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    with postgres15.database() as url:
        monkeypatch.setenv("DAGSTER_URL", url)
        monkeypatch.setenv("DAGSTER_SECRET", "password")
        monkeypatch.setenv("PERIOD_MINUTES", "5")
        storage = DagsterPostgresStorage(url)
        with dg.instance_for_test() as instance:
            # Its own storage stays unused: what is measured is what Dagster writes into Postgres.
            monkeypatch.setattr(instance, "_run_storage", storage.run_storage)
            yield instance


def beat(instance: dg.DagsterInstance, age_s: float) -> None:
    import time

    for daemon in DAEMONS:
        age = age_s if daemon == "SENSOR" else 1.0
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - age, daemon, "id", []))


def test_days_since_the_newest_batch(health: ModuleType, warehouse: str) -> None:
    assert health.measure_warehouse()["days_since_batch"] < 1, "no batch yet: since the tables were made"
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "INSERT INTO ingestion_metadata (batch_id, ingestion_date, status) VALUES "
            "('batch_w1', LOCALTIMESTAMP - INTERVAL '9 days', 'completed'), ('batch_w2', LOCALTIMESTAMP, 'in_progress')"
        )
    measured = health.measure_warehouse()
    assert measured["days_since_batch"] == pytest.approx(9, abs=0.01)
    assert 0.2 < measured["storage_share"] < 2


def test_the_daemon_that_is_silent_longest_counts(health: ModuleType, instance: dg.DagsterInstance) -> None:
    assert health.measure_dagster() == {"heartbeat_age_s": None, "failed_runs": 0}, "no daemon has ever run"
    beat(instance, 700)
    assert health.measure_dagster()["heartbeat_age_s"] == pytest.approx(700, abs=30)
    beat(instance, 1)
    assert health.measure_dagster()["heartbeat_age_s"] < 30


def test_failed_runs_of_the_period_count(health: ModuleType, instance: dg.DagsterInstance) -> None:
    @dg.job
    def load_catalog() -> None: ...

    run = instance.create_run_for_job(load_catalog)
    assert health.measure_dagster()["failed_runs"] == 0
    instance.report_run_failed(run)
    assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    assert health.measure_dagster()["failed_runs"] == 1


def test_the_age_of_the_token_is_measured_without_reading_it(
    health: ModuleType, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health.measure_token() == {}, "files come from a bucket: there is no token"
    boto3.client("secretsmanager").create_secret(Name="token", SecretString="{}")
    monkeypatch.setenv("TOKEN_SECRET", "token")
    assert health.measure_token()["token_age_days"] == pytest.approx(0, abs=0.01)


def test_what_cannot_be_measured_is_missing_and_named(
    health: ModuleType,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    beat(instance, 1)
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://analyst@127.0.0.1:1/cinematch")
    monkeypatch.setenv("TOKEN_SECRET", "none")
    measured = health.handler({}, None)
    assert json.loads(capsys.readouterr().out) == measured, "one line, which the metric filters read"
    assert measured.keys() == {"cinematch", "heartbeat_age_s", "failed_runs", "problems"}
    assert [problem.split(":")[0] for problem in measured["problems"]] == ["measure_warehouse", "measure_token"]
    assert "p@ss" not in str(measured)


def test_its_queries_are_in_the_bundle() -> None:
    queries = {f"queries/{path.name}" for path in (AWS / "lambda" / "queries").iterdir()}
    assert queries <= load_function("bundle").ours().keys()
    assert Path(AWS / "lambda" / "health.py").name in load_function("bundle").ours()
