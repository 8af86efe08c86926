"""Real servers on 127.0.0.1 for tests, each ended by its pid when the block ends.

Here: Postgres 18 (the embedded one), Postgres 15, PgBouncer, a stand-in for AWS, headless Chromium. Not here: fixtures
(``conftest``). Folders are made directly in the temporary directory, because a socket's path has at most 107 bytes.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

REQUIRED = frozenset(filter(None, os.environ.get("CINEMATCH_TEST_REQUIRE", "").split(",")))
OPTIONAL = frozenset({"postgres15", "pgbouncer", "chromium"})


class ServerDidNotStartError(Exception):
    """A server that is installed did not come up; the message ends with its log."""


def unavailable(name: str, reason: str) -> None:
    """Skip the test for want of ``name``, or fail it where CINEMATCH_TEST_REQUIRE asks for it."""
    if unknown := REQUIRED - OPTIONAL:
        pytest.fail(f"CINEMATCH_TEST_REQUIRE: {', '.join(sorted(unknown))} is none of {', '.join(sorted(OPTIONAL))}")
    if name in REQUIRED:
        pytest.fail(f"{name} is required by CINEMATCH_TEST_REQUIRE, but {reason}")
    pytest.skip(f"{name}: {reason}")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server: its major version, and a URL whose database is ``postgres``."""

    version: int
    url: str

    def url_of(self, database: str) -> str:
        """The URL of another of its databases."""
        return with_database(self.url, database)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Yield the URL of a new database, a copy of ``template``; it is dropped afterwards, open sessions or not."""
        name = f"t_{uuid4().hex[:12]}"
        create, drop = (
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*map(sql.Identifier, (name, template))),
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)),
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(create)
            if template != "template1":  # privileges on the database itself are not copied with it
                connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        try:
            yield self.url_of(name)
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(drop)


@cache
def migrated_template(server: Postgres) -> str:
    """Return the name of a migrated database that tests copy, made at the first call for each server."""
    from cinematch_assets.warehouse.migrations import migrate

    name = "cinematch_template"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")  # of an attempt whose migrations failed
        connection.execute(f"CREATE DATABASE {name}")
    migrate(server.url_of(name))
    return name


def with_database(url: str, database: str) -> str:
    """The same server's URL with another database."""
    scheme, rest = url.split("://", 1)
    host, slash, tail = rest.partition("/")
    _, question, options = tail.partition("?")
    return f"{scheme}://{host}{slash}{database}{question}{options}"


@contextmanager
def short_folder() -> Iterator[Path]:
    """Yield a folder with a short path that a server of another user may enter; it is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cm-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def free_port() -> int:
    """Return a port of 127.0.0.1 that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_ready: Callable[[], bool], what: str, *, deadline_s: float = 30.0) -> None:
    """Call ``is_ready`` until it returns true.

    Raises:
        TimeoutError: naming ``what`` after ``deadline_s``.
    """
    end = time.monotonic() + deadline_s
    while not is_ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s:.0f} s")
        time.sleep(0.05)


@contextmanager
def postgres18() -> Iterator[Postgres]:
    """The embedded server, in a folder of its own."""
    from cinematch_assets.warehouse.embedded import embedded_url, stop_server

    with short_folder() as folder:
        try:
            url = embedded_url(folder, "postgres")
            _stop_syncing(url)
            yield Postgres(18, url)
        finally:
            stop_server(folder)


@contextmanager
def postgres15(prepare: Callable[[Path], Sequence[str]] = lambda _: ()) -> Iterator[Postgres]:
    """Postgres 15 of the machine, on a free port, under a user that is not root.

    ``prepare`` may change the data directory before the start, and returns further options of the server.
    """
    programs = _postgres15_programs()
    if programs is None:
        unavailable("postgres15", "no initdb of Postgres 15 here (Debian's package is postgresql-15)")
    with short_folder() as folder, ExitStack() as stack:
        user = _give_to_other_user(folder)
        data, port = folder / "pg", free_port()
        order = [programs / "initdb", "--no-sync", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", data]
        subprocess.run(order, check=True, capture_output=True, cwd=folder, **user)
        options = prepare(data)
        server = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, *options]
        # By the socket: who connects by TCP may be asked for more.
        url = (
            f"postgresql://postgres@/postgres?host={folder}&port={port}"
            if options
            else (f"postgresql://postgres@127.0.0.1:{port}/postgres")
        )
        stack.enter_context(running(server, folder / "log", lambda: _answers(url), cwd=folder, **user))
        _stop_syncing(url)
        yield Postgres(15, url)


@contextmanager
def pgbouncer(behind: Postgres) -> Iterator[str]:
    """PgBouncer in transaction mode, as Neon's pooled host is; yields the URL of database ``postgres`` through it."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        unavailable("pgbouncer", "no program of that name here (Debian's package is pgbouncer)")
    with short_folder() as folder:
        user = _give_to_other_user(folder)
        port, server = free_port(), conninfo_to_dict(behind.url)
        (folder / "users").write_text('"postgres" ""\n"analyst" ""\n"ml_pipeline" ""\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={server['host']} port={server['port']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder / 'users'}\npool_mode = transaction\ndefault_pool_size = 4\n"
        )
        for name in ("users", "ini"):
            (folder / name).chmod(0o644)  # it runs as another user, whatever the umask
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with running([program, folder / "ini"], folder / "log", lambda: _answers(url), cwd=folder, **user):
            yield url


@contextmanager
def moto() -> Iterator[str]:
    """AWS on this machine, as far as moto has it; yields its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@contextmanager
def chromium(*, width: int = 1920, height: int = 1200) -> Iterator["Chrome"]:
    """Headless Chromium with an empty profile, which connects to no other host than the pages it opens."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        unavailable("chromium", "no chromium or chromedriver here (Debian's packages: chromium, chromium-driver)")
    from selenium import webdriver

    with short_folder() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = program
        switches = (
            "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
            "disable-component-update", "disable-sync", "disable-dev-shm-usage",
            f"user-data-dir={profile}", f"window-size={width},{height}",
        )  # fmt: skip
        for switch in switches:
            options.add_argument(f"--{switch}")
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        browser.set_script_timeout(200)  # axe on a long page of the documents, on a busy machine
        try:
            yield browser
        finally:
            browser.quit()


@contextmanager
def running(
    command: list[object], log: Path, is_ready: Callable[[], bool], *, deadline_s: float = 30.0, **how: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the foreground until the block ends; then SIGINT, and SIGKILL behind a deadline.

    Raises:
        ServerDidNotStartError: when it ends, or is not ready within ``deadline_s``; with the end of its log.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen([str(word) for word in command], stdout=output, stderr=output, **how) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or is_ready(), str(command[0]), deadline_s=deadline_s)
            if process.poll() is not None:
                raise ServerDidNotStartError(f"{command[0]} ended with {process.returncode}: {log.read_text()[-2000:]}")
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes], deadline_s: float = 20.0) -> None:
    if process.poll() is None:
        process.send_signal(2)
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _stop_syncing(url: str) -> None:
    """Switch fsync off: a copy of a database is then twice as fast, and tests need not survive a power cut."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")


def _postgres15_programs() -> Path | None:
    """Return the folder of Postgres 15's programs: Debian's, Homebrew's, or the one that ``pg_config`` names."""
    folders = [
        Path("/usr/lib/postgresql/15/bin"),
        Path("/usr/pgsql-15/bin"),
        Path("/opt/homebrew/opt/postgresql@15/bin"),
    ]
    if config := shutil.which("pg_config"):
        folders.append(
            Path(subprocess.run([config, "--bindir"], check=True, capture_output=True, text=True).stdout.strip())
        )
    for folder in folders:
        if (folder / "initdb").exists():
            version = subprocess.run(
                [folder / "initdb", "--version"], check=True, capture_output=True, text=True
            ).stdout
            if version.split()[-1].startswith("15") or " 15." in version:
                return folder
    return None


def _give_to_other_user(folder: Path) -> Mapping[str, object]:
    """As root, give ``folder`` to another user and return the options to start a program as that user; else none."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next((names[name] for name in ("postgres", "pgserver") if name in names), None) or pwd.getpwuid(65534)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
