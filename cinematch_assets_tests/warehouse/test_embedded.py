"""The server from the wheel: it survives being killed, is shared, and can be stopped."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from cinematch_assets.warehouse.embedded import embedded_url, forget_dead_handles, server_folder, stop_server
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.servers import wait_until


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cm-"))  # short: a socket's path has at most 107 bytes
    folder.chmod(0o755)
    yield folder
    stop_server(folder)
    shutil.rmtree(folder)


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((server_folder(home) / "postmaster.pid").read_text().split()[0]))


def handles(home: Path) -> list[int]:
    return list(json.loads((server_folder(home) / ".handle_pids.json").read_text()))


def test_four_processes_start_one_server_and_one_schema(home: Path) -> None:
    processes = [workers.start(warehouse_jobs.open_embedded_server, str(home)) for _ in range(4)]
    assert workers.finish(*processes) == [0, 0, 0, 0]


def test_killed_server_and_client_lose_no_committed_row(home: Path, tmp_path: Path) -> None:
    client = workers.start(warehouse_jobs.hold_embedded_server, str(home), str(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, "the client's row")
    server = postmaster(home)
    children = server.children(recursive=True)
    client.kill()
    server.kill()
    client.join()
    for process in (server, *children):
        process.wait(20)
    assert handles(home) == [client.pid]  # the killed process could not remove it
    url = embedded_url(home)
    assert handles(home) == [os.getpid()]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        connection.execute("INSERT INTO kept VALUES (3)")


def test_a_stopped_server_is_gone_and_comes_back_with_its_rows(home: Path) -> None:
    assert not stop_server(home)
    url = embedded_url(home)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    server = postmaster(home)
    assert stop_server(home)
    assert not server.is_running()
    assert not stop_server(home)
    with psycopg.connect(embedded_url(home, "cinematch")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_dead_handles_are_struck_off_and_living_ones_stay(tmp_path: Path) -> None:
    file = tmp_path / ".handle_pids.json"
    forget_dead_handles(tmp_path)
    assert not file.exists()
    gone = workers.start(print)
    workers.finish(gone)
    file.write_text(json.dumps([gone.pid, os.getpid()]))
    forget_dead_handles(tmp_path)
    assert json.loads(file.read_text()) == [os.getpid()]
    file.write_text("")
    forget_dead_handles(tmp_path)


def test_a_pid_file_that_outlived_its_server_stops_no_other_process(tmp_path: Path) -> None:
    folder = server_folder(tmp_path)
    folder.mkdir()
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\n")  # a number that another program has now
    assert not stop_server(tmp_path)
    assert psutil.pid_exists(os.getpid())
