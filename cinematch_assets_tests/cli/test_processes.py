import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cinematch_assets.cli.processes import MARK, AlreadyRunningError, Holder, end_marked, hold, holder, marked, runs

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
IGNORE_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


@contextmanager
def started(*command: str, home: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **({MARK: str(home)} if home else {})}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_one_dev_holds_a_home_and_others_see_where_it_is(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with hold(tmp_path, "http://127.0.0.1:3000"):
        assert holder(tmp_path) == Holder(os.getpid(), "http://127.0.0.1:3000")
        with pytest.raises(AlreadyRunningError, match=r"runs on it already, at http://127\.0\.0\.1:3000"):
            hold(tmp_path, "http://127.0.0.1:3001").__enter__()
    assert holder(tmp_path) is None


def test_a_process_runs_until_it_has_ended() -> None:
    with started(*SLEEP) as process:
        assert runs(process.pid)
        process.kill()
        process.wait()
        assert not runs(process.pid)


def test_processes_are_found_by_the_home_in_their_environment(tmp_path: Path) -> None:
    with started(*SLEEP, home=tmp_path.resolve()) as process, started(*SLEEP, home=tmp_path / "other") as other:
        assert [each.pid for each in marked(tmp_path)] == [process.pid]
        assert end_marked(tmp_path, deadline_s=10) == 1
        process.wait()
        assert runs(other.pid)


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with started(sys.executable, "-c", IGNORE_SIGTERM, home=tmp_path.resolve()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end_marked(tmp_path, deadline_s=0.4)
        assert not runs(process.pid)
