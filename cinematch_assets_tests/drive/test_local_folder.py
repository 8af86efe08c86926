import hashlib
import os
import socket
import threading
import time
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pytest

from cinematch_assets.drive.folder import DriveError, FileChangedError, FileError, FolderListing, find_table
from cinematch_assets.drive.local_folder import LocalFolder, hash_file
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.storage.atomic_file import WriteError
from cinematch_assets.table_names import SeveralTableFilesError
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


def test_a_listing_has_files_of_inner_folders_and_their_md5(folder: LocalFolder) -> None:
    write(folder, "movies.csv", b"movieId,title,genres\n")
    write(folder, "Netflix_Movie_Collection/a/b/c.json", b"{}")
    write(folder, ".DS_Store")
    listing = folder.list_files()
    assert [file.path for file in listing.files] == ["Netflix_Movie_Collection/a/b/c.json", "movies.csv"]
    assert listing.files[0].md5 == hashlib.md5(b"{}", usedforsecurity=False).hexdigest()
    assert (listing.files[1].name, listing.files[1].size) == ("movies.csv", 21)
    assert listing.skipped == ()


def test_a_listing_of_a_sub_folder_has_paths_from_the_top(folder: LocalFolder) -> None:
    write(folder, "batches/batch_w1.csv")
    write(folder, "batches/old/batch_w0.csv")
    write(folder, "movies.csv")
    assert [file.path for file in folder.list_files("batches").files] == [
        "batches/batch_w1.csv",
        "batches/old/batch_w0.csv",
    ]
    assert [file.path for file in folder.list_files("batches", recursive=False).files] == ["batches/batch_w1.csv"]
    assert folder.list_files("no_such_folder").files == ()


@pytest.mark.faults("hostile-names")
@pytest.mark.parametrize("outside", ["../elsewhere", "/etc", "a/../../b"])
def test_a_path_that_leads_out_of_the_folder_is_refused(folder: LocalFolder, outside: str) -> None:
    with pytest.raises(DriveError, match="below the folder"):
        folder.list_files(outside)


def test_an_id_follows_the_path_and_not_the_content(folder: LocalFolder) -> None:
    write(folder, "a.json", b"1")
    (before,) = folder.list_files().files
    write(folder, "a.json", b"2")
    write(folder, "b.json", b"1")
    after, other = folder.list_files().files
    assert before.id == after.id != other.id
    assert before.md5 == other.md5 != after.md5


def test_an_unchanged_file_is_hashed_once_over_a_hundred_listings(folder: LocalFolder) -> None:
    write(folder, "ratings.csv", b"some rating")
    hashed: list[BinaryIO] = []

    def hash_and_count(source: BinaryIO) -> tuple[str, os.stat_result]:
        hashed.append(source)
        return hash_file(source)

    def list_an_hour_later() -> FolderListing:
        later = LocalFolder(folder.root, min_age_s=0, clock=lambda: time.time() + 3600, hash_file=hash_and_count)
        return later.list_files()

    listings = [list_an_hour_later() for _ in range(100)]
    assert len(set(listings)) == 1
    assert len(hashed) == 1
    write(folder, "ratings.csv", b"same length")
    assert list_an_hour_later() != listings[0]


def test_a_young_file_is_hashed_again_because_its_time_stamp_may_stay_the_same(folder: LocalFolder) -> None:
    # Two writes within the kernel's clock tick leave size, inode and times as they were.
    file = write(folder, "a.csv", b"one")
    times = file.stat()
    folder.list_files()
    file.write_bytes(b"two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    (seen,) = folder.list_files().files
    assert seen.md5 == hashlib.md5(b"two", usedforsecurity=False).hexdigest()


def test_a_file_written_a_moment_ago_is_skipped_until_it_is_old_enough(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path, min_age_s=60)
    write(folder, "batch_w1.csv")
    listing = folder.list_files()
    assert listing.files == ()
    assert [(entry.path, entry.reason, entry.for_now) for entry in listing.skipped] == [
        ("batch_w1.csv", "is still being written", True)
    ]
    later = LocalFolder(tmp_path, min_age_s=60, clock=lambda: time.time() + 61)
    assert [file.path for file in later.list_files().files] == ["batch_w1.csv"]


def test_an_old_modification_time_does_not_hide_a_file_that_is_being_copied(tmp_path: Path) -> None:
    # `cp -p` sets the old time at its end, `rsync -t` too; the change time cannot be set.
    folder = LocalFolder(tmp_path, min_age_s=60)
    os.utime(write(folder, "a.csv"), (0, 0))
    assert folder.list_files().files == ()


def test_a_file_that_changes_while_it_is_hashed_is_skipped_for_now(folder: LocalFolder) -> None:
    file = write(folder, "a.csv", b"half")

    def append_and_hash(source: BinaryIO) -> tuple[str, os.stat_result]:
        with file.open("ab") as more:
            more.write(b"more")
        return hash_file(source)

    listing = LocalFolder(folder.root, min_age_s=0, hash_file=append_and_hash).list_files()
    assert listing.files == ()
    assert listing.skipped[0].for_now


@pytest.mark.faults("hostile-names")
def test_links_are_followed_inside_the_folder_alone(folder: LocalFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text("{}")
    write(folder, "a/file.json")
    links = {
        "a/up": folder.root,
        "b": folder.root / "a",
        "file.json": folder.root / "a" / "file.json",
        "lost.csv": folder.root / "nowhere",
        "loop": folder.root / "loop",
        "one": folder.root / "two",
        "two": folder.root / "one",
        "root": Path("/"),
        "out": outside,
        "out.json": outside / "secret.json",
        "out.txt": outside / "secret.json",
        "there and back": Path("../drop/a"),
    }
    for name, target in links.items():
        (folder.root / name).symlink_to(target)
    started = time.monotonic()
    listing = folder.list_files()
    assert time.monotonic() - started < 2
    assert [file.path for file in listing.files] == ["a/file.json", "file.json"]
    inside = "is a link to a folder of this folder, which is listed at its own place"
    way_out = "is a link out of the folder, which is not followed: put the file itself there"
    circle = "is a link that leads in a circle"
    assert {entry.path: entry.reason for entry in listing.skipped} == {
        "a/up": inside,
        "b": inside,
        "there and back": inside,
        "lost.csv": "is a link to nothing",
        "loop": circle,
        "one": circle,
        "two": circle,
        "root": way_out,
        "out": way_out,
        "out.json": way_out,
        "out.txt": way_out,
    }
    assert [entry.path for entry in folder.list_files("out").skipped] == ["out"]


def test_pipes_sockets_and_devices_are_not_opened(folder: LocalFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)  # the path of a socket is short
    os.mkfifo(folder.root / "ratings.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("movies.csv")
        skipped = {entry.path: entry.reason for entry in folder.list_files().skipped}
    assert skipped == dict.fromkeys(("ratings.csv", "movies.csv"), "is not a regular file")


def test_a_second_name_of_a_private_file_is_not_read(folder: LocalFolder, tmp_path: Path) -> None:
    """Where the system lets any user make one (fs.protected_hardlinks=0), it would read what the platform may."""
    private = tmp_path / "token.csv"
    private.write_text("secret")
    private.chmod(0o600)
    os.link(private, folder.root / "movies.csv")
    (skipped,) = folder.list_files().skipped
    assert skipped.reason == "is a second name of a file that its owner alone may read: put a copy there"
    private.chmod(0o644)
    (listed,) = LocalFolder(folder.root, min_age_s=0).list_files().files
    private.chmod(0o600)
    with pytest.raises(FileError, match="second name"):
        folder.fetch(listed, tmp_path / "target")


def test_a_file_that_becomes_a_link_out_of_the_folder_is_not_read(folder: LocalFolder, tmp_path: Path) -> None:
    content = b"only the service may read this"
    (tmp_path / "secret").write_bytes(content)
    file = write(folder, "a/batch_w1.csv", content)
    (listed,) = folder.list_files().files
    for swap, target in ((file, tmp_path / "secret"), (file.parent, tmp_path / "elsewhere")):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (tmp_path / "elsewhere" / "batch_w1.csv").write_bytes(content)
        swap.rename(tmp_path / "moved")
        swap.symlink_to(target)
        with pytest.raises(FileError, match="link out of the folder"):
            folder.fetch(listed, tmp_path / "target")
        swap.unlink()
        (tmp_path / "moved").rename(swap)
    assert not (tmp_path / "target").exists()


def test_a_link_put_there_while_a_path_is_opened_is_not_followed(
    folder: LocalFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    file = write(folder, "a.csv", b"public")
    (listed,) = folder.list_files().files
    resolve = LocalFolder._resolve

    def resolve_and_swap(self: LocalFolder, path: PurePosixPath) -> PurePosixPath:
        resolved = resolve(self, path)
        if path.name == "a.csv":
            file.unlink()
            file.symlink_to(tmp_path / "secret")
        return resolved

    monkeypatch.setattr(LocalFolder, "_resolve", resolve_and_swap)
    with pytest.raises(FileError, match=r"cannot be read|link"):
        folder.fetch(listed, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_the_root_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "movies.csv").write_bytes(b"1")
    (tmp_path / "drop").symlink_to(tmp_path / "real")
    folder = LocalFolder(tmp_path / "drop", min_age_s=0)
    (file,) = folder.list_files().files
    folder.fetch(file, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"1"


def test_a_file_that_is_not_wanted_is_never_opened(folder: LocalFolder) -> None:
    write(folder, "movie.mkv")
    write(folder, "movies.csv")
    hashed: list[BinaryIO] = []

    def hash_and_count(source: BinaryIO) -> tuple[str, os.stat_result]:
        hashed.append(source)
        return hash_file(source)

    counting = LocalFolder(folder.root, min_age_s=0, hash_file=hash_and_count)
    assert counting.list_files().others == ("movie.mkv",)
    assert counting.list_files("", is_wanted=lambda _: False).others == ("movie.mkv", "movies.csv")
    assert len(hashed) == 1


def test_an_entry_that_is_no_readable_file_is_skipped_and_never_opened(folder: LocalFolder) -> None:
    os.mkfifo(folder.root / "pipe.csv")  # opening it would wait for ever
    write(folder, "ratings.csv.part")
    (folder.root / os.fsdecode(b"caf\xe9.csv")).write_bytes(b"x")
    reasons = {entry.path: entry.reason for entry in folder.list_files().skipped}
    assert reasons == {
        "pipe.csv": "is not a regular file",
        "ratings.csv.part": "is still being written",
        "caf\ufffd.csv": "has a name with control characters or bytes that are not UTF-8",
    }


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.write_text("")], ids=["missing", "a file"])
def test_a_missing_folder_is_named_with_its_setting(tmp_path: Path, make) -> None:
    make(tmp_path / "drop")
    with pytest.raises(DriveError) as fault:
        open_folder(str(tmp_path / "drop")).list_files()
    assert str(tmp_path / "drop") in str(fault.value)
    assert "CINEMATCH_DRIVE" in str(fault.value)


def test_fetch_copies_the_bytes_and_replaces_an_older_copy(folder: LocalFolder, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    write(folder, "ratings.csv", content)
    (file,) = folder.list_files().files
    target = tmp_path / "out" / "ratings"
    for _ in range(2):
        folder.fetch(file, target)
        assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["ratings"]


def test_fetch_of_a_file_that_changed_since_the_listing_leaves_nothing(folder: LocalFolder, tmp_path: Path) -> None:
    write(folder, "ratings.csv", b"1234")
    (file,) = folder.list_files().files
    (tmp_path / "out").mkdir()
    write(folder, "ratings.csv", b"4321")
    with pytest.raises(FileChangedError, match=r"ratings\.csv in .* changed"):
        folder.fetch(file, tmp_path / "out" / "ratings")
    (folder.root / "ratings.csv").unlink()
    with pytest.raises(FileError, match="no longer"):
        folder.fetch(file, tmp_path / "out" / "ratings")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.faults("full-disk")
def test_a_full_disk_is_named_and_leaves_no_file(folder: LocalFolder, tmp_path: Path, monkeypatch) -> None:
    write(folder, "ratings.csv", b"1234")
    (file,) = folder.list_files().files

    def fill_the_disk(descriptor: int, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cinematch_assets.storage.atomic_file.write_all", fill_the_disk)
    with pytest.raises(WriteError, match=r"out/ratings: the disk is full"):
        folder.fetch(file, tmp_path / "out" / "ratings")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_table_is_found_as_csv_or_parquet(folder: LocalFolder) -> None:
    write(folder, "movies.CSV")
    write(folder, "batches/batch_w1.parquet")
    write(folder, "batches/batch_w10.parquet")
    assert find_table(folder, "movies").path == "movies.CSV"
    assert find_table(folder, "batches/batch_w1").path == "batches/batch_w1.parquet"


def test_no_file_and_two_files_of_a_table_are_errors(folder: LocalFolder) -> None:
    with pytest.raises(FileError, match=r"There is no ratings\.csv, .* or ratings\.parquet in .*CINEMATCH_DRIVE"):
        find_table(folder, "ratings")
    write(folder, "ratings.csv")
    write(folder, "ratings.parquet")
    with pytest.raises(SeveralTableFilesError, match=r"ratings\.csv and ratings\.parquet in .*: keep one"):
        find_table(folder, "ratings")


def test_a_table_still_being_written_is_waited_for(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path, min_age_s=1.0)
    write(folder, "movies.csv")
    with pytest.raises(FileError, match=r"movies\.csv in .* is still being written"):
        find_table(folder, "movies", wait_s=0)
    assert find_table(folder, "movies", wait_s=30).name == "movies.csv"


def test_listings_by_several_threads_are_equal(folder: LocalFolder) -> None:
    for number in range(50):
        write(folder, f"{number}.json", str(number).encode())
    listings: list[tuple[DriveFile, ...]] = []
    threads = [threading.Thread(target=lambda: listings.append(folder.list_files().files)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listings) == 8
    assert len(set(listings)) == 1
