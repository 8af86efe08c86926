"""The script that fits ``pyspark.ml`` ALS, on this machine and on EMR Serverless alike.

Here: reading residuals, fitting, writing factors, telling Dagster through Pipes how far it is. It needs pyspark and
dagster_pipes alone, so that this one file is all that a cluster is given. Not here: who starts it (``spark_pipes``),
what is in the files (``pipeline.models.spark_exchange``).

Extras of the Pipes context: ``ratings``, ``factors``, ``holdout_factors`` (addresses), ``has_holdout``, ``blocks``,
``is_ordered``, ``conf``, and the hyperparameters ``factors_per_row``, ``sweeps``, ``holdout_sweeps``,
``ridge_per_rating``, ``seed``.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from dagster_pipes import PipesContext, PipesS3ContextLoader, PipesS3MessageWriter, open_dagster_pipes

if TYPE_CHECKING:
    from typing import Self  # clusters have older versions of Python too

    from pyspark.sql import DataFrame, SparkSession

ONE_FILE_A_PARTITION = str(2**31 - 1)
"""Bytes that opening a file counts as: no two files then share a partition, and none is split."""
WATCH_S = 2.0
"""Seconds between two looks at how far Spark is."""
ANSWER_S = 10.0
"""Seconds in which a Java process that lives takes a connection."""
STEP = 0.1
"""Share of a fit between two lines."""
SURROUNDINGS = (
    "ExecutorLostFailure",
    "FetchFailed",
    "No space left on device",
    "OutOfMemoryError",
    "java.io.IOException",
    "UnknownHostException",
    "Connection refused",
    "SlowDown",
)
"""What Spark's errors say when machine, network or disk failed, and not the fit."""


def main() -> None:
    """Fit as the Pipes context asks, and write the factors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipes", choices=["files", "s3"], default="files", help="where Dagster's messages go")
    parser.add_argument("--log", help="a file for all that Spark prints, instead of this process' own output")
    options = parser.parse_args()
    if options.log:
        _redirect_output(options.log)
    if options.pipes == "s3":
        import boto3

        s3 = boto3.client("s3")
        session = open_dagster_pipes(context_loader=PipesS3ContextLoader(s3), message_writer=PipesS3MessageWriter(s3))
    else:
        session = open_dagster_pipes()
    with session as pipes:
        _end_with_parent(options.pipes == "files")
        spark = None
        try:
            spark = start(pipes)
            fit_all(spark, pipes)
        except Exception as fault:
            pipes.report_custom_message(describe_fault(fault, spark))
            raise
        finally:
            if spark is not None and not _is_driver_gone(spark):
                spark.stop()


def start(pipes: PipesContext) -> SparkSession:
    """Start Spark, or connect to what spark-submit started, and report its versions."""
    from pyspark.sql import SparkSession

    began = time.monotonic()
    builder = SparkSession.builder.appName("cinematch")
    blocks, is_ordered = pipes.get_extra("blocks"), pipes.get_extra("is_ordered")
    conf = {
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.files.maxPartitionBytes": ONE_FILE_A_PARTITION,
        "spark.sql.files.openCostInBytes": ONE_FILE_A_PARTITION,
        # ALS regroups the ratings into this number of partitions before it makes its blocks. From more than one, the
        # parts of a block arrive in any order, and with them the ratings of a row.
        "spark.default.parallelism": str(1 if is_ordered else blocks),
        "spark.sql.shuffle.partitions": str(blocks),
        **pipes.get_extra("conf"),
    }
    for name, value in conf.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    java = spark.sparkContext._jvm.System.getProperty("java.version")  # noqa: SLF001  pyspark's own door to Java
    pipes.log.info("Spark %s on Java %s started in %.0f s", spark.version, java, time.monotonic() - began)
    pipes.report_custom_message({"computed_by": {"spark": spark.version, "java": java}})
    return spark


def fit_all(spark: SparkSession, pipes: PipesContext) -> None:
    """Fit without the held-out ratings, then on all, and write the factors of both."""
    rows = spark.read.parquet(pipes.get_extra("ratings"))
    if pipes.get_extra("has_holdout"):
        fitted = rows.where("holdout_residual is not null").selectExpr("user", "movie", "holdout_residual AS residual")
        fit(fitted, "fit without held-out ratings", pipes.get_extra("holdout_sweeps"), "holdout_factors", pipes)
    fit(rows.select("user", "movie", "residual"), "fit", pipes.get_extra("sweeps"), "factors", pipes)


def fit(rows: DataFrame, name: str, sweeps: int, to: str, pipes: PipesContext) -> None:
    """Fit ALS to (user, movie, residual), write the factors, and report seconds and workers."""
    from pyspark.ml.recommendation import ALS

    began = time.monotonic()
    blocks = pipes.get_extra("blocks")
    als = ALS(
        rank=pipes.get_extra("factors_per_row"),
        maxIter=sweeps,
        regParam=pipes.get_extra("ridge_per_rating"),
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        userCol="user",
        itemCol="movie",
        ratingCol="residual",
        seed=pipes.get_extra("seed"),
        checkpointInterval=-1,  # nothing to checkpoint to: a lost block is computed again from the sweeps before
    )
    with Watch(rows.sparkSession, name, pipes) as watch:
        model = als.fit(rows)
        for side, factors in (("users", model.userFactors), ("movies", model.itemFactors)):
            factors.write.mode("overwrite").parquet(f"{pipes.get_extra(to)}/{side}")
    seconds = round(time.monotonic() - began, 1)
    pipes.log.info("%s: %d sweeps in %s s", name, sweeps, seconds)
    figures = {f"{to}_seconds": seconds, f"{to}_sweeps": sweeps, "workers": watch.workers, "workers_lost": watch.lost}
    pipes.report_custom_message({"figures": figures})


class Watch:
    """Logs the share of a fit's stages that are done, and each worker that is lost, while the block runs."""

    def __init__(self, spark: SparkSession, name: str, pipes: PipesContext) -> None:
        self.spark, self.name, self.pipes = spark, name, pipes
        self.workers = self.lost = 0
        self._addresses: set[str] = set()
        self._logged = -STEP
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._look_at_workers()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_S):
            self._look()

    def _look(self) -> None:
        try:
            self._look_at_workers()
            self._look_at_stages()
        except Exception as fault:  # noqa: BLE001  what is wrong with Spark is the fit's to tell
            self.pipes.log.debug("Spark does not say how far it is: %s", type(fault).__name__)

    def _look_at_workers(self) -> None:
        holders = self.spark.sparkContext._jsc.sc().getExecutorMemoryStatus()  # noqa: SLF001  no door of Python's
        addresses = set(holders.keys().mkString(" ").split())
        alive = len(addresses) - 1  # the driver is among those that hold blocks
        # By address: the next one may be there before the next look.
        if gone := self._addresses - addresses:
            self.lost += len(gone)
            self.pipes.log.warning("%s: a worker was lost, %d left: Spark computes its part again", self.name, alive)
        elif alive > self.workers:
            self.pipes.log.info("%s: workers: %d", self.name, alive)
        self.workers, self._addresses = alive, addresses

    def _look_at_stages(self) -> None:
        tracker = self.spark.sparkContext.statusTracker()
        for job in tracker.getActiveJobsIds():
            info = tracker.getJobInfo(job)
            stages = [tracker.getStageInfo(stage) for stage in info.stageIds] if info else []
            # A stage whose result is there already is skipped, and never known.
            known = [stage for stage in stages if stage and stage.numTasks]
            tasks = sum(stage.numTasks for stage in known)
            share = sum(stage.numCompletedTasks for stage in known) / tasks if tasks else 0.0
            if len(stages) > 1 and share - self._logged >= STEP:
                self._logged = share
                self.pipes.log.info("%s: %.0f %% of the tasks that Spark knows of are done", self.name, 100 * share)


def describe_fault(fault: BaseException, spark: SparkSession | None) -> dict[str, str]:
    """Say whether the surroundings failed or the fit, and how."""
    text = str(fault)
    if spark is not None and _is_driver_gone(spark):
        return {"fault": "surroundings", "message": "Spark's driver ended in the middle of the work"}
    reason = next((each for each in SURROUNDINGS if each in text), None)
    if spark is None or reason:
        return {"fault": "surroundings", "message": f"{reason or 'Spark did not start'}: {_first_line(text)}"}
    return {"fault": "bug", "message": f"{type(fault).__name__}: {_first_line(text)}"}


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else ""


def _is_driver_gone(spark: SparkSession) -> bool:
    """Whether the Java process has ended: it is this one's child, or under spark-submit its parent."""
    gateway: Any = spark.sparkContext._gateway  # noqa: SLF001  the only way to the process
    process = getattr(gateway, "proc", None)
    if process is not None and process.poll() is not None:
        return True
    address = (gateway.gateway_parameters.address, gateway.gateway_parameters.port)
    try:
        socket.create_connection(address, timeout=ANSWER_S).close()
    except OSError:
        return True
    return False


def _redirect_output(path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())


def _end_with_parent(is_child: bool) -> None:
    """End this process, and Spark with it, when the one that started it was killed: no one reads its result."""
    if not is_child:
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
