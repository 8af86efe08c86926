"""``cinematch dev`` in a process of its own, and the questions that its UI asks over GraphQL.

Here: starting it on an empty home, asking, waiting. Not here: what is expected of it (``cli.test_dev``).
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cinematch_assets_tests.support.servers import free_port

_HERE = {"repositoryLocationName": "cinematch_assets", "repositoryName": "__repository__"}
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_BACKFILL_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status } } }"""
_RUNS = """{ runsOrError { ... on Runs { results { runId jobName status tags { key value } } } } }"""


def command(home: Path, *arguments: str) -> tuple[list[str], Mapping[str, str]]:
    """The command line and environment of ``cinematch`` on a home."""
    return [sys.executable, "-m", "cinematch_assets.cli.main", *arguments], {**os.environ, "CINEMATCH_HOME": str(home)}


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``cinematch`` to its end."""
    words, environment = command(home, *arguments)
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)


def processes_of(home: Path) -> list[str]:
    """Command lines of whatever runs for ``home``: by its environment or by a path in its command line."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            words = " ".join(process.info["cmdline"] or ())
            if process.pid != os.getpid() and (str(home) in words or _home_of(process) == str(home)):
                found.append(words)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("CINEMATCH_HOME")
    except psutil.AccessDenied:
        return None


@dataclass(frozen=True, slots=True)
class Dev:
    """A running ``cinematch dev``."""

    home: Path
    url: str
    process: subprocess.Popen[str]

    def ask(self, query: str, **variables: object) -> Any:
        """The UI's answer to a GraphQL question."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        question = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(question, timeout=30) as answer:  # noqa: S310 - 127.0.0.1
            said = json.load(answer)
        assert "errors" not in said, said["errors"]
        return said["data"]

    def materialize(self, *keys: str, config: Mapping[str, object] | None = None) -> None:
        """What "Materialize selected" does, to the end of the run; ``config`` is that of the launchpad."""
        selector = _HERE | {"pipelineName": "__ASSET_JOB", "assetSelection": [{"path": [key]} for key in keys]}
        params = {"selector": selector | {"assetCheckSelection": None}, "mode": "default"}
        params["runConfigData"] = dict(config or {})
        answer = self.ask(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        self.wait_for_run(answer["run"]["runId"])

    def launch(self, job: str) -> None:
        """What "Launch run" of a job does, to the end of the run."""
        params = {"selector": _HERE | {"pipelineName": job}, "mode": "default", "runConfigData": {}}
        answer = self.ask(_LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        self.wait_for_run(answer["run"]["runId"])

    def backfill(self, partitions: list[str], *keys: str) -> None:
        """What "Launch backfill" does, to the end of its runs."""
        started = self.start_backfill(partitions, *keys)
        runs = self.wait_for(
            lambda: [r for r in self.runs() if r["tags"].get("dagster/backfill") == started], "runs of a backfill"
        )
        for each in runs:
            self.wait_for_run(each["runId"])

    def start_backfill(self, partitions: list[str], *keys: str) -> str:
        """Launch a backfill; return its id."""
        assets = [{"path": [key]} for key in keys]
        params = {"partitionNames": partitions, "assetSelection": assets, "tags": []}
        answer = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        """How far a backfill is, such as ``REQUESTED``."""
        return str(self.ask(_BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first, their tags as a mapping."""
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return [each | {"tags": {tag["key"]: tag["value"] for tag in each["tags"]}} for each in found]

    def wait_for_run(self, run_id: str) -> None:
        """Return when the run has succeeded; any other end fails the test."""

        def ended() -> str | None:
            status = next(each["status"] for each in self.runs() if each["runId"] == run_id)
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        assert self.wait_for(ended, f"run {run_id}", deadline_s=280) == "SUCCESS", self.failures(run_id)

    def failures(self, run_id: str) -> list[str]:
        """The messages of what failed in a run."""
        query = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
            ... on ErrorEvent { error { message cause { message } } } } } } }"""
        events = self.ask(query, id=run_id)["logsForRun"]["events"]
        return [str(event["error"]) for event in events if event.get("error")]

    def wait_for(self, question: Callable[[], Any], what: str, *, deadline_s: float = 150) -> Any:
        """Ask until the answer is neither empty nor None."""
        end = time.monotonic() + deadline_s
        while not (answer := question()):
            assert time.monotonic() < end, f"{what}: not within {deadline_s:.0f} s"
            time.sleep(0.3)
        return answer

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        """Send a signal and return what the command printed."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=120)
        return said


@contextmanager
def dev(home: Path, *options: str) -> Iterator[Dev]:
    """``cinematch dev`` on ``home``, ready."""
    port = free_port()
    with starting(home, port, *options) as process:
        said = ""
        while "is open at" not in said and (line := process.stdout.readline() if process.stdout else ""):
            said += line
        assert "is open at" in said, said
        yield Dev(home, f"http://127.0.0.1:{port}", process)


@contextmanager
def starting(home: Path, port: int | None = None, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``cinematch dev`` on ``home``, begun; ended and cleaned up after, whatever happened."""
    words, environment = command(home, "dev", "--port", str(port or free_port()), *options)
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": home.parent}
    with subprocess.Popen(words, env=environment, **how) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=120)
            if processes_of(home):
                run(home, "stop")
