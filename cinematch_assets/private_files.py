"""Permissions of what the platform writes: for its own user alone.

Here: modes, making folders with them. Not here: writing files (``storage.atomic_file``).
Only folders that do not exist are made and given a mode; one that exists belongs to the person who made it.
"""

import os
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_PASSABLE_MODE = 0o711


def make_private_folder(folder: Path) -> Path:
    """Make ``folder`` for this user alone, and the missing ones above it as ``make_home`` does; return it."""
    _make(folder, FOLDER_MODE)
    return folder


def make_home(home: Path) -> Path:
    """Make CINEMATCH_HOME for this user alone; return it.

    Root's home lets other users pass, not look: the embedded server runs as a user of its own, below it.
    """
    _make(home, _home_mode())
    return home


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
