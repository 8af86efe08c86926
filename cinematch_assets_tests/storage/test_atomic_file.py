import stat
from pathlib import Path

import pytest

from cinematch_assets.storage.atomic_file import (
    WriteError,
    unfinished_file,
    unfinished_folder,
    write_atomically,
)


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    write_atomically(target, [b"1", b"23"])
    assert target.read_bytes() == b"123"
    assert list(target.parent.iterdir()) == [target]


def test_a_chunk_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def chunks():
        yield b"new"
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        write_atomically(target, chunks())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_mode_is_that_of_the_new_file_and_never_wider(tmp_path: Path) -> None:
    modes = []

    def chunks():
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(".*.unfinished"))
        yield b"secret"

    (tmp_path / "token").touch(mode=0o644)
    write_atomically(tmp_path / "token", chunks(), mode=0o600)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"file/a: cannot be written"):
        write_atomically(tmp_path / "file" / "a", [b"1"])


def test_an_unfinished_file_takes_its_name_only_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "ratings.csv"
    with unfinished_file(target) as unfinished:
        unfinished.write_bytes(b"1")
        assert not target.exists()
        assert unfinished.name.startswith(".")
    assert target.read_bytes() == b"1"

    def fail() -> None:
        with unfinished_file(target) as unfinished:
            unfinished.write_bytes(b"2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [target]


def test_an_unfinished_folder_takes_its_name_only_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "sample"

    def fail() -> None:
        with unfinished_folder(target) as folder:
            (folder / "movies.csv").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    for content in ("first", "second"):
        with unfinished_folder(target) as folder:
            (folder / "movies.csv").write_text(content)
    assert (target / "movies.csv").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]
