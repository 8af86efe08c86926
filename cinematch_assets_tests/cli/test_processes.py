import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cinematch_assets.cli.processes import (
    MARK,
    AlreadyRunningError,
    Holder,
    end_marked,
    hold,
    holder,
    marked,
    running_pids,
)
from cinematch_assets.cli.stop import stop
from cinematch_assets.process_identity import is_running
from cinematch_assets_tests.support.servers import wait_until

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
        assert holder(tmp_path) == Holder(os.getpid(), psutil.Process().create_time(), "http://127.0.0.1:3000")
        with pytest.raises(AlreadyRunningError, match=r"runs on it already, at http://127\.0\.0\.1:3000"):
            hold(tmp_path, "http://127.0.0.1:3001").__enter__()
    assert holder(tmp_path) is None


@pytest.mark.parametrize(
    "pid", [None, -1, 0, 1, 2**31, 10**30, "1", 1.5], ids=lambda pid: "another process" if pid is None else str(pid)
)
def test_a_pid_that_a_killed_dev_left_is_no_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: object) -> None:
    """Something else locks the file, as a backup program may, or a `dev` in another container."""
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    with started(*SLEEP) as process, (tmp_path / "dev.lock").open("w+") as lock:
        left = {"pid": process.pid if pid is None else pid, "started_at_s": 1.0, "url": "http://127.0.0.1:3000"}
        lock.write(json.dumps(left))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunningError, match="by no `cinematch dev` of this machine"):
            holder(tmp_path, deadline_s=0)
        if pid is None:
            with pytest.raises(AlreadyRunningError):
                stop()
            assert process.poll() is None


@pytest.mark.parametrize("content", ["", "[]", "7", '{"pid": 7}', "\0", '{"pid": 7, "url": "http://127.0.0.1:3000"}'])
def test_a_lock_without_a_name_is_no_dev_and_no_crash(tmp_path: Path, content: str) -> None:
    with (tmp_path / "dev.lock").open("w+") as lock:
        lock.write(content)
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunningError):
            holder(tmp_path, deadline_s=0)
    assert holder(tmp_path) is None


def test_someone_who_looks_does_not_keep_a_dev_from_starting(tmp_path: Path) -> None:
    with hold(tmp_path, "http://127.0.0.1:3000"):
        pass
    looking = (
        "import fcntl, sys, time; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH); print(1, flush=True); time.sleep(1)"
    )
    with started(sys.executable, "-c", looking, str(tmp_path / "dev.lock")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with hold(tmp_path, "http://127.0.0.1:3001"):
            assert holder(tmp_path) is not None


def test_processes_are_found_by_the_home_in_their_environment(tmp_path: Path) -> None:
    with started(*SLEEP, home=tmp_path.resolve()) as process, started(*SLEEP, home=tmp_path / "other") as other:
        assert [each.pid for each in marked(tmp_path)] == [process.pid]
        assert end_marked(tmp_path, deadline_s=10) == 1
        process.wait()
        assert is_running(psutil.Process(other.pid))


def test_an_ended_process_whose_parent_has_not_waited_runs_no_more() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= running_pids()
        child.kill()
        wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, "the end of a child")
        assert child.pid not in running_pids()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with started(sys.executable, "-c", IGNORE_SIGTERM, home=tmp_path.resolve()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = psutil.Process(process.pid)
        end_marked(tmp_path, deadline_s=0.4)
        assert not is_running(found)
