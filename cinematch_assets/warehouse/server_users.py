"""Which processes use the embedded server of a home, so that the last one stops it.

Here: one locked file a process. Not here: starting and stopping (``embedded``).
The kernel holds the locks and drops them with their processes. So no entry can be lost, outlive its process, or mean a
later process with the same pid.
"""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cinematch_assets.private_files import make_private_folder, open_private


@contextmanager
def server_lock(home: Path) -> Iterator[None]:
    """Hold the lock under which the server of ``home`` is started, stopped, and its users change."""
    descriptor = open_private(home / "postgres.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class ServerUse:
    """This process' use of the server of ``home``; made under ``server_lock``."""

    def __init__(self, home: Path) -> None:
        folder = make_private_folder(_folder(home))
        self.pid = os.getpid()
        self._file = folder / f"{self.pid}-{uuid.uuid4().hex[:8]}"
        self._descriptor = open_private(self._file, os.O_RDWR | os.O_EXCL)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def exists(self) -> bool:
        """Return whether the entry is still there; a home may have been removed and made again."""
        return self._file.exists()

    def end(self) -> None:
        """Take the entry away, under ``server_lock``; a child that was forked meanwhile does not keep it."""
        self._file.unlink(missing_ok=True)
        os.close(self._descriptor)


def list_server_users(home: Path) -> list[int]:
    """Return the pids of the processes that use the server of ``home``, under ``server_lock``; clean up the others."""
    folder, pids = _folder(home), []
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        pid = file.name.partition("-")[0]
        if not (pid.isascii() and pid.isdigit()) or file.is_symlink() or not file.is_file():
            continue  # not an entry
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pids.append(int(pid))
        else:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
        finally:
            os.close(descriptor)
    return pids


def _folder(home: Path) -> Path:
    return home / "postgres.users"
