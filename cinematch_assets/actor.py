"""Who acts: the person or service that ``ops.audit`` names beside each change.

Here: the value, and the user of this process. Not here: the rows (``warehouse.audit``), who launched a run of Dagster
(``dagster_support.run_actor``).
"""

import os
import pwd
import socket
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Actor:
    """A name, and for work in a run of Dagster the run and what launched it."""

    name: str
    run_id: str | None = None
    launched_by: str | None = None

    @classmethod
    def of_process(cls, name: str | None = None) -> Self:
        """Return the actor called ``name`` (CINEMATCH_ACTOR); without a name, the operating system's user and host."""
        return cls(name or f"{_system_user()}@{socket.gethostname()}")

    def __str__(self) -> str:
        """Say it in one line."""
        if self.run_id is None:
            return self.name
        return f"{self.name}, run {self.run_id[:8]} launched by {self.launched_by or 'hand'}"


def _system_user() -> str:
    """The user by the process' own number: variables such as USER may say anything."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's number without a name
        return f"uid {number}"
