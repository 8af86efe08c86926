"""Where the Python processes of a test connect to: an audit hook in each of them that writes into one file.

Here: the hook, which ``sitecustomize`` of a folder on ``PYTHONPATH`` installs as a process starts, and reading the
file. Not here: what may be connected to (``test_no_outside_connection``).
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "CINEMATCH_TEST_CONNECTIONS"
_HOOK = f"""
import os, sys

_log = os.environ.get("{VARIABLE}")
if _log:
    _file = os.open(_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def _note(event, arguments):
        if event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple):
                os.write(_file, f"connect\\t{{address[0]}}\\n".encode())
        elif event == "socket.getaddrinfo" and arguments[0]:
            host = arguments[0]
            os.write(_file, f"resolve\\t{{host.decode() if isinstance(host, bytes) else host}}\\n".encode())

    sys.addaudithook(_note)
    os.write(_file, ("start\\t" + " ".join(sys.orig_argv[1:]).replace("\\n", " ") + "\\n").encode())
"""


@dataclass(frozen=True, slots=True)
class Connections:
    """What was written: command lines of processes, hosts that were resolved, addresses that were connected to."""

    started: tuple[str, ...]
    hosts: frozenset[str]

    @property
    def outside(self) -> list[str]:
        """Hosts and addresses that are not this machine."""
        return sorted(host for host in self.hosts if not _is_here(host))


def record_into(folder: Path) -> Mapping[str, str]:
    """Variables under which each Python process records; the file is ``folder/connections``."""
    (folder / "sitecustomize.py").write_text(_HOOK)
    path = [str(folder), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {"PYTHONPATH": os.pathsep.join(path), VARIABLE: str(folder / "connections")}


def read_connections(folder: Path) -> Connections:
    """What the processes wrote so far."""
    lines = [line.partition("\t") for line in (folder / "connections").read_text().splitlines()]
    return Connections(
        tuple(rest for kind, _, rest in lines if kind == "start"),
        frozenset(rest for kind, _, rest in lines if kind != "start"),
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
