"""Permissions of what the platform writes: for its own user alone.

Here: modes, making folders with them, opening files that grow or are locked. Not here: writing files
(``storage.atomic_file``).
Only folders that do not exist are made and given a mode; one that exists belongs to the person who made it. The
exception is the one of root's servers, which is the platform's own.
"""

import errno
import os
import stat
from pathlib import Path

from cinematch_assets.errors import CinematchError

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_PASSABLE_MODE = 0o711
_MAY_PASS = 0o011


class HomeError(CinematchError):
    """CINEMATCH_HOME cannot be used."""


def make_private_folder(folder: Path) -> Path:
    """Make ``folder`` for this user alone, and the missing ones above it as ``make_home`` does; return it."""
    _make(folder, FOLDER_MODE)
    return folder


def make_passable_folder(folder: Path) -> None:
    """Make ``folder`` so that other users may pass it, and not look; one that is there is opened for passing."""
    _make(folder, _PASSABLE_MODE)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode | _MAY_PASS != mode:
        folder.chmod(mode | _MAY_PASS)


def make_home(home: Path) -> Path:
    """Make CINEMATCH_HOME for this user alone; return it.

    Root's home lets other users pass, not look: the embedded server runs as a user of its own, below it. A home that
    another user made is theirs: they could read and replace all of it. Root may work on any user's.

    Raises:
        HomeError: It belongs to another user, or a link leads nowhere.
    """
    if home.is_symlink() and not home.exists():
        raise HomeError(f"CINEMATCH_HOME={home} is a link to a folder that does not exist: make it, or name another")
    _make(home, _home_mode())
    owner, user = home.stat().st_uid, os.geteuid()
    if owner not in {user, 0} and user != 0:
        raise HomeError(
            f"CINEMATCH_HOME={home} belongs to user id {owner}, who could read and replace all that is written there, "
            f"and this is {user}: choose a folder of your own"
        )
    return home


def open_private(file: Path, flags: int) -> int:
    """Open a file of the platform itself, making it for this user alone; never one that a link points to.

    ``flags`` is added to those for that. In a folder that others can write to, a link would lead what is written into
    any file of this user's.

    Raises:
        OSError: It cannot be opened, or is a link (``ELOOP``), or no ordinary file (``EISDIR``, ``EINVAL``).
    """
    descriptor = os.open(file, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no ordinary file", str(file))
    return descriptor


def _home_mode() -> int:
    return _PASSABLE_MODE if os.geteuid() == 0 else FOLDER_MODE


def _make(folder: Path, mode: int) -> None:
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        each_mode = mode if each == folder else _home_mode()
        try:
            each.mkdir(mode=each_mode)
        except FileExistsError:
            if not each.is_dir():
                raise
            continue
        each.chmod(each_mode)  # whatever the umask
