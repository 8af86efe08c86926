import hashlib
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cinematch_assets.drive import local_folder
from cinematch_assets.drive.folder import DriveError, FileChangedError, FileError, find_table
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.storage.atomic_file import WriteError
from cinematch_assets.values import DriveFile


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    (tmp_path / "drop").mkdir()
    return LocalFolder(tmp_path / "drop", min_age_s=0)


def write(folder: LocalFolder, path: str, content: bytes = b"x") -> Path:
    file = folder.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_a_look_walks_folders_in_folders_and_knows_content_by_md5(folder: LocalFolder) -> None:
    write(folder, "movies.csv", b"movieId,title,genres\n")
    write(folder, "Netflix_Movie_Collection/a/b/c.json", b"{}")
    write(folder, ".DS_Store")
    look = folder.look()
    assert [file.path for file in look.files] == ["Netflix_Movie_Collection/a/b/c.json", "movies.csv"]
    assert look.files[0].md5 == hashlib.md5(b"{}", usedforsecurity=False).hexdigest()
    assert (look.files[1].name, look.files[1].size) == ("movies.csv", 21)
    assert look.skipped == ()


def test_a_look_below_a_folder_keeps_paths_from_the_top(folder: LocalFolder) -> None:
    write(folder, "batches/batch_w1.csv")
    write(folder, "batches/old/batch_w0.csv")
    write(folder, "movies.csv")
    assert [file.path for file in folder.files("batches")] == ["batches/batch_w1.csv", "batches/old/batch_w0.csv"]
    assert [file.path for file in folder.look("batches", recursive=False).files] == ["batches/batch_w1.csv"]
    assert folder.look("no_such_folder").files == ()


@pytest.mark.parametrize("outside", ["../elsewhere", "/etc", "a/../../b"])
def test_a_look_stays_below_the_folder(folder: LocalFolder, outside: str) -> None:
    with pytest.raises(DriveError, match="below the folder"):
        folder.look(outside)


def test_an_id_follows_the_path_and_not_the_content(folder: LocalFolder) -> None:
    write(folder, "a.json", b"1")
    (before,) = folder.files()
    write(folder, "a.json", b"2")
    write(folder, "b.json", b"1")
    after, other = folder.files()
    assert before.id == after.id != other.id
    assert before.md5 == other.md5 != after.md5


def test_a_hundred_looks_hash_an_unchanged_file_once(folder: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "ratings.csv", b"some rating")
    hashed: list[Path] = []
    digest = local_folder._digest

    def counting(path: Path) -> tuple[str, os.stat_result]:
        hashed.append(path)
        return digest(path)

    monkeypatch.setattr(local_folder, "_digest", counting)
    monkeypatch.setattr(local_folder, "MIN_AGE_S", -1.0)  # as if the file had been written long ago
    looks = [LocalFolder(folder.root, min_age_s=0).look() for _ in range(100)]
    assert len(set(looks)) == 1
    assert len(hashed) == 1
    write(folder, "ratings.csv", b"same length")
    assert folder.look() != looks[0]


def test_a_young_file_is_hashed_again_because_its_time_stamp_may_not_move(folder: LocalFolder) -> None:
    # Two writes within the kernel's clock tick leave size, inode and times as they were.
    file = write(folder, "a.csv", b"one")
    times = file.stat()
    folder.look()
    file.write_bytes(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    (seen,) = folder.files()
    assert seen.md5 == hashlib.md5(b"two", usedforsecurity=False).hexdigest()


def test_a_file_written_a_moment_ago_is_left_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LocalFolder(tmp_path, min_age_s=60)
    write(folder, "batch_w1.csv")
    look = folder.look()
    assert look.files == ()
    assert [(entry.path, entry.reason, entry.for_now) for entry in look.skipped] == [
        ("batch_w1.csv", "is still being written", True)
    ]
    monkeypatch.setattr(local_folder, "time", SimpleNamespace(time=lambda: time.time() + 61))
    assert [file.path for file in folder.files()] == ["batch_w1.csv"]


def test_an_old_modification_time_does_not_hide_a_file_that_is_being_copied(tmp_path: Path) -> None:
    # `cp -p` sets the old time at its end, `rsync -t` too; the change time cannot be set.
    folder = LocalFolder(tmp_path, min_age_s=60)
    os.utime(write(folder, "a.csv"), (0, 0))
    assert folder.look().files == ()


def test_a_file_that_changes_while_it_is_hashed_is_left_for_now(
    folder: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(folder, "a.csv", b"half")
    digest = local_folder._digest

    def digest_of_a_growing_file(path: Path) -> tuple[str, os.stat_result]:
        with file.open("ab") as more:
            more.write(b"more")
        return digest(path)

    monkeypatch.setattr(local_folder, "_digest", digest_of_a_growing_file)
    look = folder.look()
    assert look.files == ()
    assert look.skipped[0].for_now


def test_cycles_and_broken_links_are_survived_and_reported(folder: LocalFolder) -> None:
    write(folder, "a/file.json")
    (folder.root / "a" / "up").symlink_to(folder.root)
    (folder.root / "b").symlink_to(folder.root / "a")
    (folder.root / "lost.csv").symlink_to(folder.root / "nowhere")
    look = folder.look()
    assert [file.path for file in look.files] == ["a/file.json"]
    assert {entry.path: entry.reason for entry in look.skipped} == {
        "a/up": "leads back to a folder already seen",
        "b": "leads back to a folder already seen",
        "lost.csv": "is a link to nothing",
    }


def test_what_is_no_file_is_reported_and_never_opened(folder: LocalFolder) -> None:
    os.mkfifo(folder.root / "pipe.csv")  # opening it would wait for ever
    write(folder, "ratings.csv.part")
    (folder.root / os.fsdecode(b"caf\xe9.csv")).write_bytes(b"x")
    reasons = {entry.path: entry.reason for entry in folder.look().skipped}
    assert reasons == {
        "pipe.csv": "is not a regular file",
        "ratings.csv.part": "is still being written",
        "caf\ufffd.csv": "has a name that is not UTF-8",
    }


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.write_text("")], ids=["missing", "a file"])
def test_no_such_folder_is_one_sentence_naming_folder_and_setting(tmp_path: Path, make) -> None:
    make(tmp_path / "drop")
    with pytest.raises(DriveError) as fault:
        open_folder(str(tmp_path / "drop")).look()
    assert str(tmp_path / "drop") in str(fault.value)
    assert "CINEMATCH_DRIVE" in str(fault.value)


def test_fetch_brings_the_bytes_and_replaces_what_was_there(folder: LocalFolder, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    write(folder, "ratings.csv", content)
    (file,) = folder.files()
    target = tmp_path / "out" / "ratings"
    for _ in range(2):
        folder.fetch(file, target)
        assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["ratings"]


def test_fetch_of_a_file_that_changed_since_the_look_leaves_nothing(folder: LocalFolder, tmp_path: Path) -> None:
    write(folder, "ratings.csv", b"1234")
    (file,) = folder.files()
    (tmp_path / "out").mkdir()
    write(folder, "ratings.csv", b"4321")
    with pytest.raises(FileChangedError, match=r"ratings\.csv in .* changed"):
        folder.fetch(file, tmp_path / "out" / "ratings")
    (folder.root / "ratings.csv").unlink()
    with pytest.raises(FileError, match="no longer"):
        folder.fetch(file, tmp_path / "out" / "ratings")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(folder: LocalFolder, tmp_path: Path, monkeypatch) -> None:
    write(folder, "ratings.csv", b"1234")
    (file,) = folder.files()

    def no_room(descriptor: int, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cinematch_assets.storage.atomic_file.write_all", no_room)
    with pytest.raises(WriteError, match=r"out/ratings: the disk is full"):
        folder.fetch(file, tmp_path / "out" / "ratings")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_table_is_found_as_csv_or_parquet(folder: LocalFolder) -> None:
    write(folder, "movies.CSV")
    write(folder, "batches/batch_w1.parquet")
    write(folder, "batches/batch_w10.parquet")
    assert find_table(folder, "movies").path == "movies.CSV"
    assert find_table(folder, "batches/batch_w1").path == "batches/batch_w1.parquet"


def test_no_file_or_two_files_of_a_table_say_so(folder: LocalFolder) -> None:
    with pytest.raises(FileError, match=r"There is no ratings\.csv or ratings\.parquet in .*CINEMATCH_DRIVE"):
        find_table(folder, "ratings")
    write(folder, "ratings.csv")
    write(folder, "ratings.parquet")
    with pytest.raises(FileError, match=r"ratings\.csv and ratings\.parquet are both in"):
        find_table(folder, "ratings")


def test_a_table_still_being_written_is_waited_for(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path, min_age_s=1.0)
    write(folder, "movies.csv")
    with pytest.raises(FileError, match=r"movies\.csv in .* is still being written"):
        find_table(folder, "movies", patience_s=0)
    assert find_table(folder, "movies", patience_s=30).name == "movies.csv"


def test_looks_from_several_threads_agree(folder: LocalFolder) -> None:
    for number in range(50):
        write(folder, f"{number}.json", str(number).encode())
    looks: list[tuple[DriveFile, ...]] = []
    threads = [threading.Thread(target=lambda: looks.append(folder.look().files)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looks) == 8
    assert len(set(looks)) == 1
