"""Services that end, are restarted with growing gaps and stopped together."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cinematch_assets.cli.supervisor import FIRST_GAP_S, MAX_GAP_S, STEADY_S, Service, Supervisor

FOREVER = "import time\nwhile True: time.sleep(0.05)"


class Clock:
    """Seconds that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_service(folder: Path, code: str, name: str = "it", **environment: str) -> Service:
    return Service(name, (sys.executable, "-c", code), environment, folder / f"{name}.log")


def wait_for(condition: Callable[[], object], deadline_s: float = 10.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_for_exit(supervisor: Supervisor, gaps: list[float], exits: int) -> None:
    """Tend until so many exits were noted."""

    def noted() -> bool:
        supervisor.tend()
        return len(gaps) >= exits

    wait_for(noted)


def _running() -> list[int]:
    return [child.pid for child in psutil.Process().children() if child.cmdline()[-1:] == [FOREVER]]


@pytest.mark.faults("services")
def test_a_killed_service_is_started_again(tmp_path: Path) -> None:
    clock, exits = Clock(), []
    supervisor = Supervisor(lambda service, code, gap_s: exits.append((service.name, code, gap_s)), clock)
    first = supervisor.start(make_service(tmp_path, FOREVER))
    first.kill()
    first.wait()
    supervisor.tend()
    assert exits == [("it", -signal.SIGKILL, FIRST_GAP_S)]
    supervisor.tend()
    assert not [child for child in psutil.Process().children() if child.pid == first.pid]
    clock.now += FIRST_GAP_S
    supervisor.tend()
    wait_for(_running)  # a process that was just started bears its parent's command for a moment
    (again,) = _running()
    assert again != first.pid
    supervisor.stop()
    assert not psutil.pid_exists(again)


def test_the_gaps_grow_up_to_a_minute_and_start_afresh_after_steady_running(tmp_path: Path) -> None:
    clock, gaps = Clock(), []
    supervisor = Supervisor(lambda _service, _code, gap_s: gaps.append(gap_s), clock)
    process = supervisor.start(make_service(tmp_path, "pass"))
    process.wait()
    for exits in range(1, 9):
        wait_for_exit(supervisor, gaps, exits)
        clock.now += gaps[-1]
        supervisor.tend()
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]
    assert gaps[-1] == MAX_GAP_S
    clock.now += STEADY_S
    wait_for_exit(supervisor, gaps, 9)
    assert gaps[-1] == FIRST_GAP_S
    supervisor.stop()


def test_services_are_asked_to_stop_all_at_once(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time, os, pathlib\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "def end(*_):\n"
        "    (folder / ('asked-' + os.environ['NAME'])).touch()\n"
        "    while len(list(folder.glob('asked-*'))) < 3: time.sleep(0.02)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "(folder / ('ready-' + os.environ['NAME'])).touch()\n"
        "while True: time.sleep(0.05)"
    )
    supervisor = Supervisor()
    processes = [supervisor.start(make_service(tmp_path, code, name, NAME=name)) for name in ("a", "b", "c")]
    wait_for(lambda: len(list(tmp_path.glob("ready-*"))) == 3)
    supervisor.stop()
    assert [process.returncode for process in processes] == [0, 0, 0]


def test_a_restart_ends_all_and_starts_them_again(tmp_path: Path) -> None:
    clock, exits = Clock(), []
    supervisor = Supervisor(lambda service, code, _gap_s: exits.append((service.name, code)), clock)
    before = [supervisor.start(make_service(tmp_path, FOREVER, name)) for name in ("a", "b")]
    supervisor.restart()
    for process in before:
        process.wait(10)
    supervisor.tend()
    clock.now += FIRST_GAP_S
    supervisor.tend()
    assert exits == [("a", -signal.SIGTERM), ("b", -signal.SIGTERM)]
    assert supervisor.ended() is None
    supervisor.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_services_of_a_process_that_ignores_a_signal_heed_it(tmp_path: Path, number: signal.Signals) -> None:
    former = signal.signal(number, signal.SIG_IGN)
    try:
        supervisor = Supervisor()
        service = supervisor.start(make_service(tmp_path, f"print('up', flush=True)\n{FOREVER}"))
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, former)
    wait_for(lambda: "up" in (tmp_path / "it.log").read_text())  # an interpreter that is starting ends with 1
    os.killpg(service.pid, number)
    assert service.wait(10) == -number
    supervisor.stop()


def test_a_service_that_ended_is_named(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(make_service(tmp_path, FOREVER, "steady"))
    assert supervisor.ended() is None
    supervisor.start(make_service(tmp_path, "raise SystemExit(3)", "brief")).wait()
    assert supervisor.ended() == ("brief", 3)
    supervisor.stop()


@pytest.mark.timeout(60)
def test_a_service_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        f"{FOREVER}"
    )
    supervisor = Supervisor()
    supervisor.start(make_service(tmp_path, code))
    wait_for(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    child = int((tmp_path / "child").read_text())
    supervisor.stop(deadline_s=0.5)
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    service = make_service(tmp_path, "print('hello')")
    supervisor = Supervisor()
    supervisor.start(service).wait()
    assert service.log.read_bytes() == b"hello\n"
