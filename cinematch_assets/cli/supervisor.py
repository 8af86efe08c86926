"""Keep the services of ``cinematch dev`` running: start, restart with growing gaps, stop.

Here: processes. Not here: which services there are (``cli.dev``), what a killed ``dev`` left (``cli.processes``).
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cinematch_assets.private_files import open_private

FIRST_GAP_S, MAX_GAP_S = 1.0, 60.0
STEADY_S = 300.0
"""A service that ran this long counts as healthy again: its next restart waits the first gap."""


@dataclass(frozen=True, slots=True)
class Service:
    """A program to keep running; its output is appended to ``log``."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass(slots=True)
class _State:
    service: Service
    process: subprocess.Popen[bytes]
    started: float
    gap_s: float = FIRST_GAP_S
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Services in the order of their start.

    Args:
        on_exit: called with a service, its exit code and the seconds until its restart.
        clock: seconds that only grow; tests hand in their own.
    """

    on_exit: Callable[[Service, int, float], None] = lambda _service, _code, _gap_s: None
    clock: Callable[[], float] = time.monotonic
    _states: list[_State] = field(default_factory=list)

    def start(self, service: Service) -> subprocess.Popen[bytes]:
        """Start a service in a session of its own, so that Ctrl-C reaches this process alone."""
        process = _start(service)
        self._states.append(_State(service, process, self.clock()))
        return process

    def tend(self) -> None:
        """Note services that have ended, and restart those whose gap is over; to be called about once a second."""
        now = self.clock()
        for state in self._states:
            service = state.service
            if state.restart_at is not None:
                if now >= state.restart_at:
                    state.process, state.started, state.restart_at = _start(service), now, None
                continue
            code = state.process.poll()
            if code is None:
                continue
            if now - state.started >= STEADY_S:
                state.gap_s = FIRST_GAP_S
            self.on_exit(service, code, state.gap_s)
            state.restart_at = now + state.gap_s
            state.gap_s = min(2 * state.gap_s, MAX_GAP_S)

    def ended(self) -> tuple[str, int] | None:
        """Return name and exit code of a service that does not run, or None; it is not restarted."""
        codes = ((state.service.name, state.process.poll()) for state in self._states)
        return next(((name, code) for name, code in codes if code is not None), None)

    def restart(self) -> None:
        """Ask all services to end; ``tend`` starts them again."""
        for state in self._states:
            _signal_group(state.process, signal.SIGTERM)

    def stop(self, *, deadline_s: float = 30.0) -> None:
        """End all services with their children, newest first: SIGTERM to all, and after ``deadline_s`` SIGKILL."""
        processes = [state.process for state in reversed(self._states)]
        self._states.clear()
        for process in processes:
            _signal_group(process, signal.SIGTERM)
        end = time.monotonic() + deadline_s
        for process in processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
        os.killpg(process.pid, number)


def _start(service: Service) -> subprocess.Popen[bytes]:
    with os.fdopen(open_private(service.log, os.O_WRONLY | os.O_APPEND), "ab") as output, _default_signals():
        return subprocess.Popen(
            list(service.command),
            env=os.environ | service.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@contextlib.contextmanager
def _default_signals() -> Iterator[None]:
    """Let a new process have SIGINT and SIGTERM as usual where this one ignores them.

    A shell starts what runs in the background with SIGINT ignored, children inherit that, and Dagster's services give
    SIGTERM the handler of SIGINT: they would end by SIGKILL alone.
    """
    ignored = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
