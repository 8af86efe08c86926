"""Kill the writer before and after each of its requests: ``python -m cinematch_assets_tests.support.mlflow_jobs URL``.

Reads a registry from the standard input. Each point gets an experiment of its own, in which the writer is killed there
and then started once more; prints the names of these experiments.
"""

import json
import os
import signal
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import count
from typing import Any

from cinematch_assets.messaging.mlflow_writer import Registry, write_registry


def main(url: str) -> list[str]:
    os.environ.update(
        MLFLOW_HTTP_REQUEST_TIMEOUT="120", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_DISABLE_TELEMETRY="true"
    )
    import requests
    from mlflow import MlflowClient

    registry = Registry.from_json(sys.stdin.read())
    send = requests.Session.request
    number, place = 0, ""
    seen = count(1)

    def request(session: requests.Session, *args: Any, **kwargs: Any) -> requests.Response:
        now = next(seen)
        if now == number and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(session, *args, **kwargs)
        if now == number and place == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    requests.Session.request = request  # type: ignore[assignment, method-assign]

    def write(name: str) -> None:
        done = write_registry(MlflowClient(url, url), replace(registry, name=name), 600)
        assert (done.left, done.faults) == (0, [])

    base = f"kills-{time.time_ns()}"
    write(f"{base}-none")
    requests_of_a_round = next(seen) - 1
    names = []
    for number in range(1, requests_of_a_round + 1):
        for place in ("before", "after"):
            name = f"{base}-{number}-{place}"
            child = os.fork()
            if child == 0:
                seen = count(1)
                write(name)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status), name
            seen = count(requests_of_a_round + 2)  # past every point
            write(name)
            names.append(name)
    return names


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # MLflow's client prints where a run can be seen
        done = main(sys.argv[1])
    sys.stdout.write(json.dumps(done))
