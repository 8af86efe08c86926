import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from cinematch_assets.process_identity import START_TOLERANCE_S, find_process, is_running, wait_until_ended

PROGRAM = os.path.basename(sys.executable)  # noqa: PTH119 - as in a command line


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    program = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, "-D", "/data"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # in the middle of an exec a process has no command line
        yield psutil.Process(process.pid)
        process.kill()


def test_pid_start_user_and_command_line_together_are_a_process(sleeper: psutil.Process) -> None:
    same = {"program": PROGRAM, "arguments": ("-D", "/data"), "uid": os.getuid(), "started_at_s": sleeper.create_time()}
    assert find_process(sleeper.pid, **same) == sleeper
    others = (
        {"program": "postgres"},
        {"arguments": ("-D", "/data2")},
        {"arguments": ("/data", "-D")},
        {"uid": os.getuid() + 1},
        {"started_at_s": sleeper.create_time() - START_TOLERANCE_S - 1},
    )
    for other in others:
        assert find_process(sleeper.pid, **same | other) is None, other


@pytest.mark.parametrize("pid", [0, -5, 2**22 + 1])
def test_a_number_of_no_process_is_none(pid: int) -> None:
    assert find_process(pid, program=PROGRAM, arguments=(), uid=0, started_at_s=None) is None


def test_an_ended_process_does_not_run_even_before_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        found = psutil.Process(process.pid)
        assert is_running(found)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(found)
        assert find_process(found.pid, program=PROGRAM, arguments=(), uid=os.getuid(), started_at_s=None) is None


def test_an_ended_process_that_its_parent_never_waits_for_is_not_waited_for() -> None:
    command = ["sh", "-c", "sleep 60 & echo $!; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            child = psutil.Process(int(parent.stdout.readline()))
            assert wait_until_ended([child], deadline_s=0.2) == [child]
            child.kill()
            assert wait_until_ended([child], deadline_s=30) == []
        finally:
            parent.kill()
