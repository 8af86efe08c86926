"""EMR Serverless on this machine: moto's, and what runs the jobs that moto does not run.

Here: the server before moto, and a driver in real Spark. Not here: the job in numpy (``exchanged_job``).

moto runs no job and has no dashboards: a small server before it runs the job when it is submitted, tells moto how it
ended, and answers for dashboards.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.emrserverless.models import emrserverless_backends

Drive = Callable[[Mapping[str, Any], Mapping[str, str]], tuple[str, str]]
"""Runs what is submitted, with the driver's variables, to its end; returns the state of the job and its details."""
_DRIVER_VARIABLE = "spark.emr-serverless.driverEnv."
_AFTER_JAVA_S = 60.0


class Emr:
    """moto's EMR Serverless with what it leaves out: a submitted job runs here, and its end is told to moto."""

    def __init__(self, moto: str, drive: Drive) -> None:
        self.moto, self.drive = moto, drive
        self.submitted: list[dict[str, Any]] = []
        self.jobs: list[threading.Thread] = []

    def run(self, application: str, job_run: str, submit: Mapping[str, Any]) -> None:
        """Run the job as its driver would be run, then set the state that it ends in."""
        confs = [word for word in submit["sparkSubmitParameters"].split() if word.startswith(_DRIVER_VARIABLE)]
        variables = dict(conf.removeprefix(_DRIVER_VARIABLE).split("=", 1) for conf in confs)
        state, details = "FAILED", "what runs it here has raised an error"
        try:
            state, details = self.drive(submit, variables)
        finally:  # a job whose state stays RUNNING is waited for without end
            job = self.job(application, job_run)
            job.state_details, job.state = details, state

    def job(self, application: str, job_run: str) -> Any:
        backend = emrserverless_backends[DEFAULT_ACCOUNT_ID][os.environ["AWS_DEFAULT_REGION"]]
        return backend.get_job_run(application, job_run)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Answer for dashboards, and hand everything else on to moto."""
        emr = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
                if self.path.endswith("/dashboard"):
                    self.reply(200, b'{"url": "https://dashboard.invalid/"}')
                    return
                request = urllib.request.Request(  # noqa: S310 - 127.0.0.1
                    emr.moto + self.path, body, dict(self.headers), method=self.command
                )
                with urllib.request.urlopen(request) as answered:  # noqa: S310 - 127.0.0.1
                    status, content = answered.status, answered.read()
                if self.command == "POST" and self.path.endswith("/jobruns") and body:
                    started, asked = json.loads(content), json.loads(body)
                    emr.submitted.append(asked)
                    application, job_run = started["applicationId"], started["jobRunId"]
                    emr.job(application, job_run).state = "RUNNING"
                    emr.jobs.append(
                        threading.Thread(target=emr.run, args=(application, job_run, asked["jobDriver"]["sparkSubmit"]))
                    )
                    emr.jobs[-1].start()
                self.reply(status, content)

            def reply(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815  the names that the base class calls

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            for job in self.jobs:
                job.join()
            server.shutdown()
            thread.join()
            server.server_close()


@dataclass(frozen=True, slots=True)
class SparkSubmit:
    """Runs a job by Spark's own spark-submit, with the parameters that EMR Serverless would hand to it.

    Hadoop's driver for S3 is no part of pyspark. ``s3://`` of this Spark is a folder, mounted by Hadoop's
    ``ViewFileSystemOverloadScheme``: the bucket's objects are copied into it before, and what was written out of it
    after. So addresses are what they are on EMR, and requests of Spark to S3 are not made.
    """

    bucket: str
    folder: Path
    before: Callable[[Path], None] = lambda _: None
    """Called with the folder before Spark starts."""
    log: Path = Path(os.devnull)

    def __call__(self, submit: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, str]:
        """Copy the bucket, run, copy what is new to the bucket."""
        s3 = boto3.client("s3")
        top = self.folder / self.bucket
        copied = [each["Key"] for each in s3.list_objects_v2(Bucket=self.bucket)["Contents"]]
        for key in copied:
            (top / key).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(self.bucket, key, str(top / key))
        self.before(top)
        code = self._run(submit, variables, {key.partition("/")[0] for key in copied})
        for path in top.rglob("*"):
            key = str(path.relative_to(top))
            if path.is_file() and key not in copied and not path.name.startswith("."):
                s3.upload_file(str(path), self.bucket, key)
        return ("SUCCESS", "") if code == 0 else ("FAILED", f"Job failed. ExitCode: {code}.")

    def _run(self, submit: Mapping[str, Any], variables: Mapping[str, str], prefixes: set[str]) -> int:
        spark = find_spec("pyspark")
        assert spark is not None
        assert spark.origin is not None
        conf = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        }
        for prefix in prefixes:
            target = f"file://{self.folder / self.bucket / prefix}"
            conf[f"spark.hadoop.fs.viewfs.mounttable.{self.bucket}.link./{prefix}"] = target
        command = [
            str(Path(spark.origin).parent / "bin" / "spark-submit"),
            *("--master", "local[2]"),
            *(word for name, value in conf.items() for word in ("--conf", f"{name}={value}")),
            *submit["sparkSubmitParameters"].split(),
            submit["entryPoint"],
            *submit["entryPointArguments"],
        ]
        environment = {**os.environ, **variables, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        with self.log.open("wb") as log:
            java = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            code = java.wait()
        _await_group(java.pid)
        return code


def _await_group(leader: int) -> None:
    """Wait for the script, which outlives a Java process that is killed and still says so."""
    deadline = time.monotonic() + _AFTER_JAVA_S
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(leader, 0)
            time.sleep(0.1)
        os.killpg(leader, signal.SIGKILL)
        raise TimeoutError(f"the script has not ended {_AFTER_JAVA_S:.0f} s after its Java process")
