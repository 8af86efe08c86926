"""Training on Spark through Dagster Pipes: a process of this machine, or a job on EMR Serverless.

Here: starting it from a run or a command, its messages as log lines and metadata, and why it failed. Not here: the
script itself (``train_on_spark``), what goes over (``pipeline.models.spark_exchange``), whether Spark is there
(``pipeline.models.spark_environment``).
"""

import io
import logging
import os
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.private_files import make_private_folder
from cinematch_assets.settings import Settings

if TYPE_CHECKING:
    from cinematch_assets.pipeline.models.spark_exchange import SparkJob
    from cinematch_assets.recommender.progress import Progress

SCRIPT = Path(__file__).parent / "train_on_spark.py"
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*\d+\s*,\s*\d+\s*,\s*(\d+)\s*\]")
_SIGNAL = re.compile(r"code -(\d+)")
_PROCESS_FAILED = "DagsterPipesExecutionError"
"""What the client raises for a process that did not end with 0; Dagster does not export it."""
_TERMINATION_S = 60.0
"""Seconds that Spark has to end in when a run is terminated."""
EMR_POLL_S = 5.0
S3_POLL_S = 10.0
"""Seconds between two looks at a job's state, and at its messages."""

_LOG = logging.getLogger(__name__)

Context = dg.OpExecutionContext | dg.AssetExecutionContext


class SparkKilledError(SurroundingsError):
    """Spark's driver was killed, or machine, network or disk failed under it: the same training may succeed later."""


class SparkJobError(Exception):
    """The fit itself failed on Spark, which no one foresaw."""


def with_spark(platform: Platform, context: Context) -> Platform:
    """Return the platform with a trainer that starts Spark from this run, when a model has to be fitted there."""
    return _with_launch(platform, lambda job, progress: _launch(platform, context, job, progress))


def with_spark_outside_runs(platform: Platform) -> Platform:
    """The same for a command: the training is a run of its own that Dagster does not keep."""

    def launch(job: "SparkJob", progress: "Progress") -> Mapping[str, str]:
        @dg.op(name="train_on_spark")
        def train(context: dg.OpExecutionContext) -> dict[str, str]:
            log = make_private_folder(platform.settings.home / "logs") / "spark.log"
            return dict(_launch(platform, context, job, progress, log=log))

        @dg.job(name="spark", config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}})
        def spark() -> None:
            train()

        with dg.DagsterInstance.ephemeral() as instance:
            result = spark.execute_in_process(instance=instance)
            computed_by: dict[str, str] = result.output_for_node("train_on_spark")
        return computed_by

    return _with_launch(platform, launch)


def _with_launch(platform: Platform, launch: Any) -> Platform:
    """Return the platform with a trainer over the store that Spark reaches: on S3 the store itself, else a folder."""
    from cinematch_assets.pipeline.models.spark_exchange import SparkTrainer
    from cinematch_assets.storage.local import LocalStore

    is_reached = platform.settings.emr_application is not None or isinstance(platform.store, LocalStore)
    store = platform.store if is_reached else LocalStore(platform.settings.home.resolve() / "exchange")
    return replace(platform, residual_trainer=SparkTrainer(store, launch))


def _launch(
    platform: Platform, context: Context, job: "SparkJob", progress: "Progress", *, log: Path | None = None
) -> Mapping[str, str]:
    """Run a job to its end and return versions of what computed it.

    Raises:
        SparkUnavailableError: a package, Java or a setting is missing.
        SparkKilledError: the driver was killed, or the surroundings failed.
        SparkJobError: the fit failed.
    """
    from cinematch_assets.pipeline.models.spark_environment import require_spark

    settings = platform.settings
    context.log.info("train on %s", require_spark(settings).where)
    progress("Spark", 0.0)
    run = _run_on_emr if settings.emr_application else _run_here
    with warnings.catch_warnings():
        # Dagster's Pipes asks its own classes for what is in preview, and for what is deprecated.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.filterwarnings("ignore", "AssetExecutionContext", DeprecationWarning)
        messages = run(context, settings, job, log)
    progress("Spark", 1.0)
    figures: dict[str, Any] = {}
    computed_by: dict[str, str] = {}
    for message in messages:
        figures |= message.get("figures", {})
        computed_by |= message.get("computed_by", {})
    _LOG.info("Spark: %s", ", ".join(f"{name} {value}" for name, value in figures.items()))
    if isinstance(context, dg.AssetExecutionContext):
        context.add_asset_metadata({f"spark/{name}": value for name, value in (figures | computed_by).items()})
    return computed_by


def extras_of(job: "SparkJob", conf: Mapping[str, str]) -> dict[str, Any]:
    """Return what the script is told: addresses, hyperparameters, Spark's configuration."""
    config = job.config
    return {
        "ratings": job.address(job.ratings),
        "factors": job.address(job.factors),
        "holdout_factors": job.address(job.holdout_factors),
        "has_holdout": job.has_holdout,
        "blocks": config.blocks(job.rows),
        "is_ordered": config.is_ordered(job.rows),
        "factors_per_row": config.factors,
        "sweeps": config.sweeps,
        "holdout_sweeps": config.holdout_sweeps,
        "ridge_per_rating": config.ridge_per_rating,
        "seed": job.seed,
        "conf": dict(conf),
    }


def _keeping(reader: type[Any]) -> type[Any]:
    """Return the class of message readers with the handler kept, which has the messages of a failed process too."""

    class Keeping(reader):  # type: ignore[misc]
        handler: Any = None

        def read_messages(self, handler: Any) -> Any:
            self.handler = handler
            return super().read_messages(handler)

        @property
        def messages(self) -> list[Mapping[str, Any]]:
            return [] if self.handler is None else list(self.handler.get_custom_messages())

    return Keeping


def _fault(messages: list[Mapping[str, Any]], ending: str) -> Exception:
    """Return the error for a process that failed: what it said of itself; one that said nothing was killed."""
    said = next((message for message in messages if "fault" in message), None)
    if said is None:
        return SparkKilledError(f"training on Spark: {ending}, before it could say why")
    if said["fault"] == "surroundings":
        return SparkKilledError(f"training on Spark: {said['message']}")
    return SparkJobError(said["message"])


def _run_here(context: Context, settings: Settings, job: "SparkJob", log: Path | None) -> list[Mapping[str, Any]]:
    reader = _keeping(dg.PipesTempFileMessageReader)()
    is_local = settings.spark_master.startswith("local")
    conf = {"spark.master": settings.spark_master, "spark.ui.enabled": "false"}
    cluster = _LOCAL_CLUSTER.fullmatch(settings.spark_master)
    if cluster:
        conf["spark.executor.memory"] = f"{cluster[1]}m"
    if is_local:
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    with spark_home(settings.home) as home:
        client = dg.PipesSubprocessClient(message_reader=reader, termination_timeout_seconds=_TERMINATION_S)
        environment = {
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_DIRS": str(home / "blocks"),
            **({"SPARK_LOCAL_IP": "127.0.0.1"} if is_local else {}),
        }
        # Without the script's own folder on the path: its modules have names of others.
        command = [sys.executable, "-P", str(SCRIPT), *(["--log", str(log)] if log else [])]
        try:
            client.run(context=context, command=command, env=environment, extras=extras_of(job, conf))
        except Exception as failed:
            if type(failed).__name__ != _PROCESS_FAILED:
                raise
            killed = _SIGNAL.search(str(failed))
            ending = f"its process was killed by signal {killed[1]}" if killed else "its process ended"
            raise _fault(reader.messages, ending) from failed
    messages: list[Mapping[str, Any]] = reader.messages
    return messages


@contextmanager
def spark_home(home: Path) -> Iterator[Path]:
    """Give a folder that is Spark's home for one training: pyspark's files by links, and room for what workers write.

    Spark's workers write below its home, which is where pyspark is installed, and which need not be ours to write to.
    """
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SparkKilledError("training on Spark: pyspark was there a moment ago, and is gone")
    parent = make_private_folder(home.resolve() / "spark-scratch")
    _remove_abandoned(parent)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f"{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        for each in Path(spec.origin).parent.iterdir():
            (Path(folder) / each.name).symlink_to(each)
        for name in ("blocks", "work"):
            target = Path(folder) / name
            target.unlink(missing_ok=True)
            target.mkdir()
        yield Path(folder)


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of trainings whose process is no more."""
    import shutil

    import psutil

    for folder in parent.iterdir():
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _run_on_emr(context: Context, settings: Settings, job: "SparkJob", _log: Path | None) -> list[Mapping[str, Any]]:
    import boto3
    from dagster_aws.pipes import PipesEMRServerlessClient, PipesS3ContextInjector, PipesS3MessageReader

    store: Any = job.store
    folder = store.uri(job.key).removeprefix(f"s3://{store.bucket}/")
    store.put_bytes(f"{job.key}/code/{SCRIPT.name}", SCRIPT.read_bytes())
    store.put_bytes(f"{job.key}/code/dagster_pipes.zip", _zip_of("dagster_pipes"))

    class Reader(_keeping(PipesS3MessageReader)):  # type: ignore[misc]
        @contextmanager
        def get_params(self) -> Iterator[dict[str, Any]]:
            yield {"bucket": store.bucket, "key_prefix": f"{folder}/messages"}

    class Client(PipesEMRServerlessClient):  # type: ignore[misc]
        def _read_messages(self, *_: Any) -> None:
            """Messages are read from S3 while the job runs; there is nothing left to read at its end."""

    emr: Any = boto3.session.Session().client("emr-serverless")
    reader = Reader(bucket=store.bucket, client=store.client, interval=S3_POLL_S)
    started: dict[str, str] = {}
    emr.meta.events.register("after-call.emr-serverless.StartJobRun", lambda parsed, **_: started.update(parsed))
    parameters = [f"--py-files {store.uri(f'{job.key}/code/dagster_pipes.zip')}", settings.emr_parameters or ""]
    client = Client(
        client=emr,
        message_reader=reader,
        context_injector=PipesS3ContextInjector(
            bucket=store.bucket, client=store.client, key_prefix=f"{folder}/context/"
        ),
        poll_interval=EMR_POLL_S,
    )
    try:
        client.run(
            context=context,
            extras=extras_of(job, {}),
            start_job_run_params={
                "applicationId": str(settings.emr_application),
                "executionRoleArn": str(settings.emr_role),
                "name": f"cinematch {context.run.run_id[:8]}",
                "jobDriver": {
                    "sparkSubmit": {
                        "entryPoint": store.uri(f"{job.key}/code/{SCRIPT.name}"),
                        "entryPointArguments": ["--pipes", "s3"],
                        "sparkSubmitParameters": " ".join(filter(None, parameters)),
                    }
                },
            },
        )
    except RuntimeError as failed:
        raise _fault(reader.messages, _ending_of(emr, started)) from failed
    messages: list[Mapping[str, Any]] = reader.messages
    return messages


def _ending_of(emr: Any, started: Mapping[str, str]) -> str:
    """Say how a job on EMR Serverless ended, as EMR does."""
    run = emr.get_job_run(applicationId=started["applicationId"], jobRunId=started["jobRunId"])["jobRun"]
    details = f" ({run['stateDetails'][:300]})" if run.get("stateDetails") else ""
    return f"job run {started['jobRunId']} of EMR Serverless is {run['state']}{details}"


def _zip_of(package: str) -> bytes:
    """Return a package of one folder as an archive that Python imports from."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SparkKilledError(f"training on Spark: {package} is not installed")
    folder, content = Path(spec.origin).parent, io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.py")):
            archive.write(file, f"{package}/{file.name}")
    return content.getvalue()
