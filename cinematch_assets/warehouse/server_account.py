"""The operating system's user that the embedded server runs as, and programs run as that user.

Here: choosing the account, running, saying which folder it cannot enter. Not here: what is run (``server_files``,
``embedded``). Postgres refuses to run as root, so root's server has an account of its own; everyone else's server runs
as they do. No permission is changed for it.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cinematch_assets.errors import SurroundingsError

ROOTS_ACCOUNT = "pgserver"
_HANDED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class ServerAccountError(SurroundingsError):
    """The server's user does not exist, or cannot enter a folder that it needs."""


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """A user of the operating system; ``is_other`` is true where it is not the one this process runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether programs have to change to it."""
        return self.uid != os.geteuid()

    def run(self, command: Sequence[str | Path], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a program as this user and return its output; it sees none of this process' settings and secrets.

        Raises:
            ServerAccountError: The program cannot be started.
        """
        words = [str(word) for word in command]
        environment = {name: os.environ[name] for name in os.environ if name in _HANDED_ON or name.startswith("LC_")}
        try:
            return subprocess.run(
                words,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_s,
                cwd="/",
                env=environment,
                umask=0o077,
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
            )
        except OSError as fault:
            raise ServerAccountError(f"{words[0]}: cannot be run as user {self.name} ({fault.strerror})") from fault

    def may_enter(self, folder: Path) -> bool:
        """Whether this user can enter ``folder``, which needs every folder above it as well."""
        if not self.is_other:
            return True
        return self.run(["/bin/sh", "-c", 'cd "$1" 2>/dev/null', "sh", folder], timeout_s=30).returncode == 0

    def require_access(self, folder: Path, variable_hint: str) -> None:
        """Refuse a folder that this user cannot enter.

        Raises:
            ServerAccountError: naming the closed folder, and ``variable_hint``: what to set.
        """
        if not self.may_enter(folder):
            closed = next((each for each in (*reversed(folder.parents), folder) if not self._may_pass(each)), folder)
            raise ServerAccountError(
                f"{closed}: user {self.name}, which root's embedded server runs as because Postgres refuses to be "
                f"root, cannot enter it, and its permissions are yours to change: {variable_hint}"
            )

    def _may_pass(self, folder: Path) -> bool:
        facts = folder.stat()
        shift = 6 if facts.st_uid == self.uid else 3 if facts.st_gid == self.gid else 0
        return bool(facts.st_mode >> shift & 1)


def account_of(folder: Path) -> ServerAccount:
    """Return the user that a server on ``folder`` runs as: this one; for root the owner of the data, or ``pgserver``.

    Raises:
        ServerAccountError: Root's account does not exist and cannot be made.
    """
    if os.geteuid() != 0:
        return _account(os.geteuid())
    owner = folder.stat().st_uid if folder.exists() else 0
    if owner:
        return _account(owner)
    try:
        entry = pwd.getpwnam(ROOTS_ACCOUNT)
    except KeyError:
        _add_roots_account()
        entry = pwd.getpwnam(ROOTS_ACCOUNT)
    return ServerAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _account(uid: int) -> ServerAccount:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ServerAccountError(
            f"user id {uid} has no name on this machine, and Postgres asks for one: add it to /etc/passwd, "
            "or name another server in CINEMATCH_DATABASE_URL and DAGSTER_POSTGRES_URL"
        ) from None
    return ServerAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _add_roots_account() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", ROOTS_ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        raise ServerAccountError(
            f"Postgres refuses to run as root, and a user {ROOTS_ACCOUNT} for it cannot be made: "
            "run as another user, or name another server in CINEMATCH_DATABASE_URL and DAGSTER_POSTGRES_URL"
        ) from fault
