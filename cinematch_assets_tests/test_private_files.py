import os
import stat
from pathlib import Path

from cinematch_assets.private_files import make_home, make_private_folder


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


def test_a_home_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = make_home(tmp_path / "home")
    finally:
        os.umask(before)
    assert mode_of(home) == (0o711 if os.geteuid() == 0 else 0o700)  # root's server, another user, has to pass
