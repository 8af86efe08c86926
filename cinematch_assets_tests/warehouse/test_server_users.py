import os
from pathlib import Path

from cinematch_assets.warehouse.server_users import ServerUse, list_server_users, server_lock


def test_a_use_is_listed_until_it_ends(tmp_path: Path) -> None:
    with server_lock(tmp_path):
        assert list_server_users(tmp_path) == []
        first, second = ServerUse(tmp_path), ServerUse(tmp_path)
        assert list_server_users(tmp_path) == [os.getpid()] * 2
        first.end()
        second.end()
        assert list_server_users(tmp_path) == []


def test_an_unlocked_entry_is_of_a_process_that_ended_whatever_its_pid_means_now(tmp_path: Path) -> None:
    (tmp_path / "postgres.users").mkdir()
    (tmp_path / "postgres.users" / f"{os.getpid()}-0a1b2c3d").touch()
    assert list_server_users(tmp_path) == []
    assert list((tmp_path / "postgres.users").iterdir()) == []


def test_a_forked_child_does_not_keep_its_parent_s_use(tmp_path: Path) -> None:
    use = ServerUse(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    try:
        use.end()
        assert list_server_users(tmp_path) == []
    finally:
        os.write(writing, b"x")
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
