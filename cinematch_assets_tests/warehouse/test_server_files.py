import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from cinematch_assets.warehouse.server_account import account_of
from cinematch_assets.warehouse.server_files import (
    ServerFilesError,
    make_data_directory,
    make_socket_folder,
    programs_of,
    remove_socket_folder,
    write_access_rules,
)
from cinematch_assets_tests.support.servers import short_folder


def test_data_of_another_version_are_named(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("14\n")
    with pytest.raises(ServerFilesError, match="made by Postgres 14"):
        programs_of(tmp_path)


def test_a_folder_with_other_files_is_left_as_it_is() -> None:
    with short_folder() as home:
        folder = home / "postgres"
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
        with pytest.raises(ServerFilesError, match="holds files and no Postgres data"):
            make_data_directory(folder, account_of(folder))
        assert [each.name for each in folder.iterdir()] == ["mine.txt"]


def test_a_long_path_gets_a_private_socket_folder_whose_name_cannot_be_taken_before(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    account = account_of(folder)
    first, second = (make_socket_folder(folder, account) for _ in range(2))
    try:
        assert first != second
        assert first.parent == Path(tempfile.gettempdir())
        assert (stat.S_IMODE(first.stat().st_mode), first.stat().st_uid) == (0o700, account.uid)
    finally:
        for each in (first, second):
            remove_socket_folder(each, account)
    assert not first.exists()


def test_a_path_with_a_comma_is_no_list_of_socket_folders(tmp_path: Path) -> None:
    """`unix_socket_directories` would have a second folder, of the name after the comma."""
    folder = Path("/tmp/x,") / "tmp"  # noqa: S108 - not made
    account = account_of(tmp_path)
    made = make_socket_folder(folder, account)
    try:
        assert "," not in str(made)
        assert made.stat().st_mode & 0o777 == 0o700
    finally:
        remove_socket_folder(made, account)


@pytest.mark.parametrize("name", ["a$HOME", "`id`", '"; id; "', "a\\b", "a\nb", "a\x7fb"])
def test_a_path_that_a_shell_would_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ServerFilesError, match="hand the character"):
        make_data_directory(tmp_path / name / "postgres", account_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_access_rules_are_written_through_no_link(tmp_path: Path) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "postgres.access"
    precious.write_text("kept")
    folder.mkdir()
    for name in ("pg_hba.new", "pg_ident.new", "pg_hba.conf"):
        (folder / name).symlink_to(precious)
    rules, names = write_access_rules(tmp_path / "postgres", account_of(tmp_path))
    assert precious.read_text() == "kept"
    assert not rules.is_symlink()
    assert not names.is_symlink()
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    with pytest.raises(ServerFilesError, match="is a link"):
        write_access_rules(tmp_path / "postgres", account_of(tmp_path))


def test_only_its_own_socket_folders_are_removed(tmp_path: Path) -> None:
    other, foreign = tmp_path / "other", tmp_path / "cinematch-x"
    other.mkdir()
    foreign.mkdir()
    (foreign / "kept").write_text("kept")
    account = account_of(tmp_path / "none")
    remove_socket_folder(other, account)
    os.chown(foreign, account.uid, account.gid)
    remove_socket_folder(foreign, account)
    assert other.exists()
    assert (foreign / "kept").exists()
