"""What every folder does, local, in Google Drive or in a bucket."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from cinematch_assets.drive.folder import (
    DriveError,
    FileChangedError,
    FileError,
    Folder,
    FolderListing,
    LookLimits,
    find_table,
)
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.landing import land
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.thread_pool import in_parallel
from cinematch_assets.storage.opening import open_store
from cinematch_assets.table_names import SeveralTableFilesError
from cinematch_assets.values import DriveFile
from cinematch_assets_tests.support.drive_server import SHORTCUT, DriveServer, Fault

Write = Callable[[str, bytes], None]
"""Writes a file at a path of the folder."""
TREE = {
    "movies.csv": b"movieId,title,genres\n1,Toy Story (1995),Animation\n",
    "ratings.parquet": b"PAR1",
    "batches/batch_w1.csv": b"userId,movieId,rating,timestamp\n",
    "batches/batch_w2.csv": b"",
    "Netflix_Movie_Collection/a/Am\u00e9lie.json": b'{"title": "Am\xc3\xa9lie"}',
    "Netflix_Movie_Collection/a/b/c/deep.json": b"{}",
}


@dataclass
class Kind:
    """One kind of folder: how a test writes into it, and breaks a part of it."""

    folder: Folder
    write: Write
    add_unreadable: Callable[[], str]
    """Adds something that cannot be read below ``batches``, or ``batches`` itself; returns its path."""
    add_bad_name: Callable[[], None]
    """Adds an entry of a name that no table or message may hold."""
    add_way_out: Callable[[Path], str]
    """Adds what leads to a file outside the folder, the given one where that is possible; returns its path."""


@pytest.fixture(params=["local", "google", "s3"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    if request.param == "local":
        return make_local(tmp_path / "drop")
    if request.param == "s3":
        request.getfixturevalue("aws")
        return make_s3()
    return make_google(request.getfixturevalue("drive"), request.getfixturevalue("google"))


def make_local(root: Path) -> Kind:
    def write(path: str, content: bytes) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)

    def add_unreadable() -> str:
        (root / "batches").mkdir(exist_ok=True)
        (root / "batches" / "loop.csv").symlink_to("loop.csv")
        return "batches/loop.csv"

    def add_way_out(outside: Path) -> str:
        (root / "batches").mkdir(exist_ok=True)
        (root / "batches" / "out.csv").symlink_to(outside)
        return "batches/out.csv"

    root.mkdir()
    bad_name = os.fsencode(root) + b"/caf\xe9\n.csv"
    return Kind(
        LocalFolder(root, min_age_s=0), write, add_unreadable, lambda: Path(os.fsdecode(bad_name)).touch(), add_way_out
    )


def make_google(drive: DriveServer, google: GoogleFolder) -> Kind:
    ids = {"": google.folder_id}

    def inside(path: PurePosixPath) -> str:
        if path == PurePosixPath():
            return google.folder_id
        if str(path) not in ids:
            ids[str(path)] = drive.add_folder(inside(path.parent), path.name)
        return ids[str(path)]

    def write(path: str, content: bytes) -> None:
        if path in ids:
            drive.change_file(ids[path], content)
        else:
            ids[path] = drive.add_file(inside(PurePosixPath(path).parent), PurePosixPath(path).name, content)

    def add_unreadable() -> str:
        refused = drive.add_folder(inside(PurePosixPath("batches")), "refused")
        drive.faults.append(Fault("may not be downloaded", where=refused, times=99))
        return "batches/refused"

    def add_way_out(outside: Path) -> str:
        drive.add(inside(PurePosixPath("batches")), "out.csv", SHORTCUT, target="a-file-elsewhere")
        return "batches/out.csv"

    return Kind(
        google,
        write,
        add_unreadable,
        lambda: drive.add_file(google.folder_id, "caf\0\n.csv", b"") and None,
        add_way_out,
    )


def make_s3() -> Kind:
    import boto3

    client, bucket = boto3.client("s3"), "drop"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})

    def write(path: str, content: bytes) -> None:
        client.put_object(Bucket=bucket, Key=f"some/folder/{path}", Body=content)

    def add_unreadable() -> str:
        key = "some/folder/batches/cold.csv"
        client.put_object(Bucket=bucket, Key=key, Body=b"1", StorageClass="GLACIER")
        return "batches/cold.csv"

    def add_way_out(outside: Path) -> str:
        write("batches/../out.csv", b"1")
        return "batches/../out.csv"

    return Kind(
        open_folder(f"s3://{bucket}/some/folder"), write, add_unreadable, lambda: write("caf\x01.csv", b""), add_way_out
    )


@pytest.fixture
def folder(kind: Kind) -> Folder:
    return kind.folder


@pytest.fixture
def write(kind: Kind) -> Write:
    return kind.write


def test_a_tree_has_the_same_listing_in_every_kind(folder: Folder, write: Write) -> None:
    for path, content in TREE.items():
        write(path, content)
    write(".DS_Store", b"not seen")
    write("Netflix_Movie_Collection/.hidden/x.json", b"not seen")
    listing = folder.list_files()
    assert [(file.path, file.name, file.size, file.md5) for file in listing.files] == [
        (path, PurePosixPath(path).name, len(content), hashlib.md5(content, usedforsecurity=False).hexdigest())
        for path, content in sorted(TREE.items())
    ]
    assert (listing.skipped, listing.others) == ((), ())


def test_a_listing_of_one_level_names_the_folders_below(folder: Folder, write: Write) -> None:
    for path, content in TREE.items():
        write(path, content)
    write("batches/old/batch_w0.csv", b"1")
    top = folder.list_files("", recursive=False)
    assert [file.path for file in top.files] == ["movies.csv", "ratings.parquet"]
    assert top.others == ("Netflix_Movie_Collection/", "batches/")
    batches = folder.list_files("batches", recursive=False)
    assert [file.path for file in batches.files] == ["batches/batch_w1.csv", "batches/batch_w2.csv"]
    assert batches.others == ("batches/old/",)
    assert folder.list_files("no/such/folder") == FolderListing((), ())


def test_what_is_not_wanted_is_named_and_not_read(folder: Folder, write: Write) -> None:
    write("movies.csv", b"1")
    write("movie.mkv", b"1")
    write("ratings.csv", b"1")
    assert [file.path for file in folder.list_files().files] == ["movies.csv", "ratings.csv"]
    assert folder.list_files().others == ("movie.mkv",)
    listing = folder.list_files(is_wanted=lambda path: path == "ratings.csv")
    assert [file.path for file in listing.files] == ["ratings.csv"]
    assert listing.others == ("movie.mkv", "movies.csv")


@pytest.mark.faults("drive")
def test_one_bad_entry_never_fails_a_listing(kind: Kind) -> None:
    kind.write("movies.csv", b"1")
    kind.write("batches/batch_w1.csv", b"1")
    unreadable = kind.add_unreadable()
    kind.add_bad_name()
    listing = kind.folder.list_files()
    assert [file.path for file in listing.files] == ["batches/batch_w1.csv", "movies.csv"]
    names = [entry.path for entry in listing.skipped]
    assert names[0] == unreadable
    assert names[1].startswith("caf\ufffd")
    assert len(names) == 2
    assert [file.path for file in kind.folder.list_files("batches").files] == ["batches/batch_w1.csv"]
    assert find_table(kind.folder, "movies").path == "movies.csv"


@pytest.mark.faults("hostile-names")
def test_what_leads_out_of_the_folder_is_left_out_by_name(kind: Kind, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("only the service may read this")
    kind.write("batches/batch_w1.csv", b"1")
    way_out = kind.add_way_out(secret)
    listing = kind.folder.list_files()
    assert [file.path for file in listing.files] == ["batches/batch_w1.csv"]
    assert [entry.path for entry in listing.skipped] == [way_out]
    md5 = hashlib.md5(secret.read_bytes(), usedforsecurity=False).hexdigest()
    forged = DriveFile("no-such-id", way_out, "out.csv", secret.stat().st_size, md5)
    with pytest.raises(DriveError):
        kind.folder.fetch(forged, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_look_ends_at_its_limits_and_says_so(folder: Folder, write: Write) -> None:
    for number in range(20):
        write(f"Netflix_Movie_Collection/{number:02}.json", b"{}")
    listing = folder.list_files(limits=LookLimits(max_entries=15))
    assert 10 <= len(listing.files) <= 15
    (entry,) = listing.skipped
    assert "15 entries" in entry.reason
    assert entry.for_now
    no_time = folder.list_files(limits=LookLimits(max_s=0.0))
    assert no_time.files == ()
    assert [entry.for_now for entry in no_time.skipped] == [True]


def test_a_tree_lands_byte_for_byte(folder: Folder, write: Write, tmp_path: Path) -> None:
    for path, content in TREE.items():
        write(path, content)
    store = open_store(str(tmp_path / "store"))
    for unchanged in (False, True):
        done = {
            one.file.path: one.result
            for one in in_parallel(lambda file: land(folder, file, store), folder.list_files().files)
        }
        assert {path: store.read_bytes(landed.key) for path, landed in done.items() if landed} == TREE
        assert {landed.unchanged for landed in done.values() if landed} == {unchanged}


def test_the_next_listing_differs_in_the_changed_files_alone(folder: Folder, write: Write) -> None:
    for path, content in TREE.items():
        write(path, content)
    before = set(folder.list_files().files)
    write("batches/batch_w1.csv", b"userId,movieId,rating,timestamp\n1,2,3.0,4\n")
    write("batches/batch_w3.csv", b"new")
    assert sorted(file.path for file in set(folder.list_files().files) - before) == [
        "batches/batch_w1.csv",
        "batches/batch_w3.csv",
    ]
    (changed,) = (file for file in folder.list_files().files if file.path == "batches/batch_w1.csv")
    assert changed.id in {file.id for file in before}


def test_ids_can_be_part_of_a_key(folder: Folder, write: Write) -> None:
    write("Netflix_Movie_Collection/x..%2f'; DROP TABLE movies;--.json", b"{}")
    (file,) = folder.list_files().files
    assert file.id.replace("-", "").replace("_", "").isalnum()


def test_a_file_that_changed_since_the_listing_is_not_fetched(folder: Folder, write: Write, tmp_path: Path) -> None:
    write("movies.csv", b"one")
    (file,) = folder.list_files().files
    write("movies.csv", b"two")
    with pytest.raises(FileChangedError, match=r"movies\.csv .*changed"):
        folder.fetch(file, tmp_path / "target")
    with pytest.raises(FileError):
        folder.fetch(DriveFile("no-such-id", "no.csv", "no.csv", 3, file.md5), tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_the_file_of_a_table_is_found_and_none_or_two_are_errors(folder: Folder, write: Write) -> None:
    with pytest.raises(FileError, match=r"There is no movies\.csv, .* or movies\.parquet in .* \(CINEMATCH_DRIVE\)"):
        find_table(folder, "movies")
    write("movies.csv", b"1")
    write("movies_old.csv", b"1")
    assert find_table(folder, "movies").path == "movies.csv"
    write("movies.parquet", b"1")
    with pytest.raises(SeveralTableFilesError, match=r"movies\.csv and movies\.parquet in .*: keep one"):
        find_table(folder, "movies")
