"""Dagster's own storage: where it goes, and that Dagster's own commands work in a fresh checkout."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import yaml
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData

from cinematch_assets.dagster_support.instance import fail_runs_without_process, prepare_home, storage_url
from cinematch_assets.project_files import project_file
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.connection import UnsafeConnectionError
from cinematch_assets_tests.support.dagster_ui import processes_of, run
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.servers import free_port, short_folder, wait_until


def dagster_command(home: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """A command of Dagster's in the checkout, with the home elsewhere and not one other variable set."""
    program, *rest = arguments
    return [str(Path(sys.executable).with_name(program)), *rest], {**os.environ, "CINEMATCH_HOME": str(home)}


def test_runs_go_to_the_database_that_the_environment_names(
    tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", empty_database_url)
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    home = prepare_home(Settings.from_env())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("batch_id", ["batch_w1"])
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT partition FROM dynamic_partitions").fetchall() == [("batch_w1",)]
    assert not (tmp_path / "postgres").exists()


def test_the_queue_limits_what_retraining_is_tagged_with() -> None:
    limits = yaml.safe_load(project_file("dagster.yaml").read_text())["concurrency"]["runs"]["tag_concurrency_limits"]
    assert {limit["key"] for limit in limits} & set(repository().get_job("retrain").tags) == {"cinematch/exclusive"}
    assert [limit["limit"] for limit in limits] == [1, 1]


def test_a_storage_elsewhere_without_tls_is_refused() -> None:
    settings = Settings(DAGSTER_POSTGRES_URL="postgresql://someone@db.example/dagster")
    with pytest.raises(UnsafeConnectionError, match=r"db\.example"):
        storage_url(settings)


@pytest.mark.parametrize(
    "words", ["dagster definitions validate", pytest.param("dg check defs", marks=pytest.mark.slow)]
)
def test_the_definitions_are_valid_in_a_fresh_checkout(words: str) -> None:
    with short_folder() as folder:
        command, environment = dagster_command(folder / "home", *words.split())
        said = subprocess.run(
            command, env=environment, cwd=project_file(""), capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert processes_of(folder / "home") == []


@pytest.mark.slow
def test_dg_dev_opens_the_ui_in_a_fresh_checkout() -> None:
    port = free_port()
    with short_folder() as folder:
        command, environment = dagster_command(folder / "home", "dg", "dev", "--host", "127.0.0.1", "--port", str(port))
        with subprocess.Popen(command, env=environment, cwd=project_file(""), stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: _answers(port), "dg dev", deadline_s=120)
            finally:
                process.send_signal(signal.SIGINT)
        run(folder / "home", "stop")
        assert processes_of(folder / "home") == []


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info").close()
    except urllib.error.URLError:
        return False
    return True


def test_started_runs_without_a_living_process_fail_and_no_others(instance: dg.DagsterInstance) -> None:
    @dg.op
    def step() -> None: ...

    @dg.job
    def job() -> None:
        step()

    def run_of(status: dg.DagsterRunStatus, pid: int | None) -> str:
        run = instance.create_run_for_job(job, status=status)
        if pid is not None:
            data = EngineEventData.in_process(pid)
            instance.report_engine_event(f"Started process for run (pid: {pid}).", run, data)
        return run.run_id

    status = dg.DagsterRunStatus
    killed, cancelled = run_of(status.STARTED, 11), run_of(status.CANCELING, 12)
    run_of(status.STARTED, 13)
    run_of(status.STARTED, None)
    run_of(status.SUCCESS, 14)
    done = run_of(status.STARTED, 15)

    def living() -> list[int]:
        run = instance.get_run_by_id(done)
        assert run is not None
        instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "job"), run.run_id)
        return [13, 99]

    assert fail_runs_without_process(instance, living) == 2
    failed = instance.get_runs(filters=dg.RunsFilter(statuses=[status.FAILURE]))
    assert {run.run_id for run in failed} == {killed, cancelled}
    assert fail_runs_without_process(instance, lambda: [13, 99]) == 0
