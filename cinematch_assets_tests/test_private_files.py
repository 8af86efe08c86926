import os
import stat
from pathlib import Path

import pytest

from cinematch_assets.private_files import HomeError, make_home, make_passable_folder, make_private_folder, open_private


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_folders_are_their_user_s_alone_and_old_ones_stay_as_they_are(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o750)
    assert make_private_folder(old / "new" / "newer") == old / "new" / "newer"
    make_private_folder(old)
    between = 0o711 if os.geteuid() == 0 else 0o700  # it may be the home, which root's server has to pass
    assert [mode_of(each) for each in (old, old / "new", old / "new" / "newer")] == [0o750, between, 0o700]


@pytest.mark.parametrize(("before", "after"), [(None, 0o711), (0o700, 0o711), (0o755, 0o755), (0o750, 0o751)])
def test_others_may_pass_a_passable_folder_whatever_the_umask(tmp_path: Path, before: int | None, after: int) -> None:
    folder = tmp_path / "folder"
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    os.umask(0o077)
    make_passable_folder(folder)
    assert mode_of(folder) == after


def test_a_home_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = make_home(tmp_path / "home")
    finally:
        os.umask(before)
    assert mode_of(home) == (0o711 if os.geteuid() == 0 else 0o700)  # root's server, another user, has to pass


def test_a_home_that_another_user_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1_000)
    if home.stat().st_uid == 0:
        os.chown(home, 1, -1)
    with pytest.raises(HomeError, match=r"belongs to user id \d+, who could read and replace"):
        make_home(home)


def test_a_home_that_is_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(tmp_path / "nowhere")
    with pytest.raises(HomeError, match="a link to a folder that does not exist"):
        make_home(tmp_path / "home")


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_only_an_ordinary_file_of_its_own_name_is_opened(tmp_path: Path, kind: str) -> None:
    precious, file = tmp_path / "precious", tmp_path / "errors.log"
    if kind != "dangling link":
        precious.write_text("kept")
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(precious)
    with pytest.raises(OSError, match=r"errors\.log"):
        open_private(file, os.O_WRONLY | os.O_APPEND)
    assert precious.exists() == (kind != "dangling link")


def test_a_file_is_its_user_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_private(tmp_path / "file", os.O_RDWR))
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "file") == 0o600
