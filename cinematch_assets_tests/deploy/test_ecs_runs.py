"""Runs as ECS tasks: Dagster on the instance of ``deploy/aws/dagster.yaml``, with moto as ECS, EC2 and S3.

moto starts no container: these tests start each task's command themselves, and tell moto how it ended. Queue,
monitoring, launcher and logs are Dagster's own. Not here: what the file asks for (``test_aws_instance``).
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import dagster as dg
import psycopg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster._grpc.types import ExecuteRunArgs
from dagster_graphql.test.utils import execute_dagster_graphql
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ecs.models import ecs_backends

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets_tests.deploy.test_entrypoint import ENTRYPOINT
from cinematch_assets_tests.support.platforms import drop_history, make_platform, rows_of, take_in_history
from cinematch_assets_tests.support.servers import (
    Postgres,
    free_port,
    migrated_template,
    running,
    short_folder,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="tasks are Linux's"),
]
ROOT = Path(__file__).resolve().parents[2]
REGION, BUCKET, CLUSTER = "eu-central-1", "cinematch", "cinematch"
MAX_OVERRIDES = 8_192
"""Characters of JSON that ECS takes (RunTask, "overrides")."""
HELD = 1_000_000
KILLED = 137
"""128 + SIGKILL: memory that ran out, or a host that went away."""
LOADED = "SELECT count(*), count(DISTINCT (userid, movieid)) FROM ratings_buffer WHERE batch_id = 'batch_w1'"
BATCH = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{user % 40 + 1},4.0,1100000000\n" for user in range(1, 61)
)
LAUNCH = """mutation ($repository: String!) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "cinematch_assets", repositoryName: $repository, jobName: "ingest_batch"}
    executionMetadata: {tags: [{key: "dagster/partition", value: "batch_w1"}]}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}"""


@dataclass
class Fargate:
    """What moto leaves out: tasks' commands run here, and their ends are told to moto."""

    home: Path
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, arn: str) -> subprocess.Popen[bytes]:
        """Start the command that the launcher gave to a task."""
        (override,) = self.task(arn).overrides["containerOverrides"]
        log = (self.home / f"{arn.rsplit('/', 1)[1]}.log").open("wb")
        with log:
            self.running[arn] = subprocess.Popen(
                [*ENTRYPOINT, *override["command"]],
                env=self.environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self.running[arn]

    def end(self, arn: str, number: signal.Signals | None = None) -> int:
        """Wait for a task's command, after a signal to all of its processes if there is one; return its exit code."""
        process = self.running.pop(arn)
        if number is not None:
            os.killpg(process.pid, number)
        code = process.wait(200)
        code = 128 - code if code < 0 else code
        task = self.task(arn)
        task.containers[0].exitCode = code
        task.last_status = task.desired_status = "STOPPED"
        return code

    @staticmethod
    def task(arn: str) -> Any:
        (cluster,) = ecs_backends[DEFAULT_ACCOUNT_ID][REGION].tasks.values()
        return cluster[arn]

    def log_of(self, arn: str) -> str:
        return (self.home / f"{arn.rsplit('/', 1)[1]}.log").read_text()[-3000:]


@dataclass(frozen=True)
class Ecs:
    """The platform on ECS, as far as moto has it, with one batch that waits in the bucket."""

    context: WorkspaceProcessContext
    platform: Platform
    fargate: Fargate
    warehouse: str

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.context.instance

    def launch(self) -> str:
        """Ask for the batch's run as the UI does, and let the daemon take it from the queue; return its id."""
        request = self.context.create_request_context()
        (repository,) = request.get_code_location("cinematch_assets").get_repositories()
        said = execute_dagster_graphql(request, LAUNCH, {"repository": repository}).data["launchRun"]
        assert said["__typename"] == "LaunchRunSuccess", said
        daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
        assert [error for error in daemon.run_iteration(self.context) if error] == []
        return str(said["run"]["runId"])

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def task_of(self, run_id: str) -> str:
        return self.run(run_id).tags["ecs/task_arn"]

    def health(self, run_id: str) -> WorkerStatus:
        return self.instance.run_launcher.check_run_worker_health(self.run(run_id)).status

    def monitor(self) -> None:
        """One look of the daemon at the runs that are under way."""
        errors = execute_run_monitoring_iteration(self.context, logging.getLogger(__name__))
        assert [error for error in errors if error] == []

    @contextmanager
    def in_mid_load(self, run_id: str) -> Iterator[str]:
        """Yield the run's task, whose command has begun to write the batch and cannot go on until the block ends."""
        with psycopg.connect(self.warehouse) as holder, psycopg.connect(self.warehouse, autocommit=True) as watcher:
            holder.execute("LOCK TABLE ratings_buffer IN SHARE ROW EXCLUSIVE MODE")
            arn = self.task_of(run_id)
            process = self.fargate.start(arn)

            def waits() -> bool:
                assert process.poll() is None, self.fargate.log_of(arn)
                return watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is not None

            wait_until(waits, "the batch to be written", deadline_s=200)
            yield arn


@contextmanager
def metadata_of(cluster: str, task: str) -> Iterator[str]:
    """The address inside each task at which ECS says which task it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"Cluster": cluster, "TaskARN": task}).encode())

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def set_transition(moto: str, change: str, **what: Any) -> None:
    body = json.dumps({"model_name": "ecs::task", **what}).encode()
    urllib.request.urlopen(f"{moto}/moto-api/state-manager/{change}-transition", body).close()  # noqa: S310 - 127.0.0.1


def start_daemon_s_task() -> tuple[str, str]:
    """Make the cluster, the definition of a run and the daemon's own task; return the last two."""
    ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
    ecs.create_cluster(clusterName=CLUSTER)
    (subnet, *_) = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks")["GroupId"]
    container = {"name": "run", "image": "cinematch", "memory": 8192, "command": ["dagster", "api", "grpc"]}
    definition: str = ecs.register_task_definition(
        family="run", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="2048", memory="8192",
        containerDefinitions=[container],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    network = {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "DISABLED"}
    (task,) = ecs.run_task(
        cluster=CLUSTER, taskDefinition=definition, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )["tasks"]  # fmt: skip
    return definition, task["taskArn"]


def fill_bucket(home: Path, warehouse: str) -> None:
    """Put catalogue, history and the batch under ``drive/``."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    local = make_platform(home / "local", warehouse)
    drop_history(local, users=60, movies=40)
    for path in Path(local.folder.spec).iterdir():
        s3.upload_file(str(path), BUCKET, f"drive/{path.name}")
    s3.put_object(Bucket=BUCKET, Key="drive/batches/batch_w1.csv", Body=BATCH.encode())


def write_instance(home: Path, dagster: str) -> None:
    """The instance's file as it is, but for a database without TLS at another port and user."""
    config = yaml.safe_load((ROOT / "deploy/aws/dagster.yaml").read_text(encoding="utf-8"))
    where = urlsplit(dagster)
    config["storage"]["postgres"]["postgres_db"] |= {
        "username": where.username, "db_name": where.path[1:], "port": where.port, "params": {"sslmode": "disable"},
    }  # fmt: skip
    config["compute_logs"]["config"]["local_dir"] = str(home / "compute-logs")
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def ecs(aws: str, postgres15: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ecs]:
    with ExitStack() as stack:
        home = stack.enter_context(short_folder())
        warehouse = stack.enter_context(postgres15.database(migrated_template(postgres15)))
        dagster = stack.enter_context(postgres15.database())
        set_transition(aws, "set", transition={"progression": "manual", "times": HELD})
        stack.callback(set_transition, aws, "unset")
        definition, daemon = start_daemon_s_task()
        fill_bucket(home, warehouse)
        write_instance(home, dagster)
        settings = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(home), "DAGSTER_CURRENT_IMAGE": "cinematch", "RUN_TASK_DEFINITION": definition,
            "DAGSTER_DB_HOST": str(urlsplit(dagster).hostname), "DAGSTER_DB_PASSWORD": "-",
            "CINEMATCH_LOG_BUCKET": BUCKET, "CINEMATCH_DATABASE_URL": warehouse, "CINEMATCH_HOME": str(home),
            "CINEMATCH_STORE": f"s3://{BUCKET}/store", "CINEMATCH_DRIVE": f"s3://{BUCKET}/drive",
            "ECS_CONTAINER_METADATA_URI_V4": stack.enter_context(metadata_of(CLUSTER, daemon)),
        }  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        platform = Platform.open(Settings.from_env())
        take_in_history(platform)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        instance.add_dynamic_partitions("batch_id", ["batch_w1"])
        port = free_port()
        serve = [
            *ENTRYPOINT, "dagster", "api", "grpc", "--host", "127.0.0.1", "--port", port,
            "--module-name", "cinematch_assets.definitions", "--location-name", "cinematch_assets",
        ]  # fmt: skip
        stack.enter_context(running(serve, home / "code.log", lambda: is_open(port), deadline_s=200, cwd=home))
        target = GrpcServerTarget("127.0.0.1", port, None, "cinematch_assets")
        context = stack.enter_context(WorkspaceProcessContext(instance, target))
        fargate = Fargate(home, dict(os.environ))
        try:
            yield Ecs(context, platform, fargate, warehouse)
        finally:
            for arn in list(fargate.running):
                fargate.end(arn, signal.SIGKILL)


def overrides_on_aws(overrides: dict[str, Any]) -> str:
    """The overrides as JSON, with the instance's file as it is on AWS instead of this test's."""
    (container,) = overrides["containerOverrides"]
    *words, packed = container["command"]
    arguments = dg.deserialize_value(packed, ExecuteRunArgs)
    on_aws = InstanceRef.from_dir(str(ROOT / "deploy/aws"))
    real = ExecuteRunArgs(
        job_origin=arguments.job_origin,
        run_id=arguments.run_id,
        instance_ref=on_aws,
        set_exit_code_on_failure=arguments.set_exit_code_on_failure,
    )
    return json.dumps(overrides | {"containerOverrides": [container | {"command": [*words, dg.serialize_value(real)]}]})


def test_a_run_is_a_task_that_loads_its_batch_and_leaves_its_logs_in_the_bucket(ecs: Ecs) -> None:
    run_id = ecs.launch()
    arn = ecs.task_of(run_id)
    assert ecs.health(run_id) == WorkerStatus.RUNNING
    overrides = ecs.fargate.task(arn).overrides
    lengths = {"here": len(json.dumps(overrides)), "on AWS": len(overrides_on_aws(overrides))}
    print(f"characters of overrides: {lengths}")  # noqa: T201 - shown by pytest -s
    assert max(lengths.values()) < MAX_OVERRIDES

    ecs.fargate.start(arn)
    assert ecs.fargate.end(arn) == 0, ecs.fargate.log_of(arn)
    assert ecs.health(run_id) == WorkerStatus.SUCCESS
    assert ecs.run(run_id).status == dg.DagsterRunStatus.SUCCESS, ecs.fargate.log_of(arn)
    assert rows_of(ecs.platform, LOADED) == [(60, 60)]

    logs = ecs.instance.compute_log_manager
    (captured,) = [
        event.dagster_event.logs_captured_data
        for event in ecs.instance.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
        if event.dagster_event
    ]
    key = [run_id, "compute_logs", captured.file_key]
    stored = {
        each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="compute-logs/")["Contents"]
    }
    assert f"compute-logs/storage/{'/'.join(key)}.err" in stored
    written = (ecs.fargate.home / "compute-logs").rename(
        ecs.fargate.home / "of-the-task"
    )  # another task has none of it
    assert written.exists()
    read = logs.get_log_data(key, cursor=None).stderr
    assert read is not None
    assert b"ratings of batch_w1" in read
    assert logs.cloud_storage_has_logs(key, ComputeIOType.STDERR)  # type: ignore[attr-defined]


def test_a_task_that_is_killed_is_resumed_once_and_its_batch_is_loaded_exactly_once(ecs: Ecs) -> None:
    run_id = ecs.launch()
    with ecs.in_mid_load(run_id) as first:
        assert ecs.fargate.end(first, signal.SIGKILL) == KILLED
        assert ecs.health(run_id) == WorkerStatus.FAILED
        assert rows_of(ecs.platform, LOADED) == [(0, 0)]
    ecs.monitor()
    second = ecs.task_of(run_id)
    assert second != first
    assert ecs.run(run_id).status == dg.DagsterRunStatus.STARTED
    assert len(json.dumps(ecs.fargate.task(second).overrides)) < MAX_OVERRIDES

    ecs.fargate.start(second)
    assert ecs.fargate.end(second) == 0, ecs.fargate.log_of(second)
    assert ecs.run(run_id).status == dg.DagsterRunStatus.SUCCESS, ecs.fargate.log_of(second)
    assert rows_of(ecs.platform, LOADED) == [(60, 60)]
    assert rows_of(
        ecs.platform, "SELECT batch_id, record_count FROM ingestion_metadata WHERE batch_id = 'batch_w1'"
    ) == [("batch_w1", 60)]


def test_a_second_death_fails_the_run_and_nothing_is_loaded(ecs: Ecs) -> None:
    run_id = ecs.launch()
    for _ in range(2):
        with ecs.in_mid_load(run_id) as arn:
            assert ecs.fargate.end(arn, signal.SIGKILL) == KILLED
        ecs.monitor()
    assert ecs.run(run_id).status == dg.DagsterRunStatus.FAILURE
    assert ecs.task_of(run_id) == arn, "no third task"
    assert rows_of(ecs.platform, LOADED) == [(0, 0)]


def test_a_run_that_is_terminated_stops_its_task_and_loads_nothing(ecs: Ecs) -> None:
    run_id = ecs.launch()
    with ecs.in_mid_load(run_id) as arn:
        assert ecs.instance.run_launcher.terminate(run_id)
        assert ecs.fargate.task(arn).desired_status == "STOPPED"
        ecs.fargate.end(arn, signal.SIGTERM)  # what StopTask sends
    assert ecs.run(run_id).status == dg.DagsterRunStatus.CANCELED, ecs.fargate.log_of(arn)
    assert rows_of(ecs.platform, LOADED) == [(0, 0)]
    ecs.monitor()
    assert ecs.task_of(run_id) == arn, "no other task"
