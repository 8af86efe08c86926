"""What every folder does, local or in Google Drive."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from cinematch_assets.drive.folder import FileChangedError, FileError, Folder, find_table
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.landing import land
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.thread_pool import in_parallel
from cinematch_assets.storage.opening import open_store
from cinematch_assets.table_names import SeveralTableFilesError
from cinematch_assets.values import DriveFile
from cinematch_assets_tests.support.drive_server import DriveServer

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


@pytest.fixture(params=["local", "google"])
def folder_and_write(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Folder, Write]:
    if request.param == "local":
        return make_local(tmp_path / "drop")
    return make_google(request.getfixturevalue("drive"), request.getfixturevalue("google"))


def make_local(root: Path) -> tuple[Folder, Write]:
    def write(path: str, content: bytes) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)

    root.mkdir()
    return LocalFolder(root, min_age_s=0), write


def make_google(drive: DriveServer, google: GoogleFolder) -> tuple[Folder, Write]:
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

    return google, write


@pytest.fixture
def folder(folder_and_write: tuple[Folder, Write]) -> Folder:
    return folder_and_write[0]


@pytest.fixture
def write(folder_and_write: tuple[Folder, Write]) -> Write:
    return folder_and_write[1]


def test_the_same_tree_has_the_same_listing_in_both_kinds(
    drive: DriveServer, google: GoogleFolder, tmp_path: Path
) -> None:
    listings = []
    for folder, write in (make_local(tmp_path / "drop"), make_google(drive, google)):
        for path, content in TREE.items():
            write(path, content)
        write(".DS_Store", b"not seen")
        write("Netflix_Movie_Collection/.hidden/x.json", b"not seen")
        listings.append([(file.path, file.name, file.size, file.md5) for file in folder.list_files().files])
    assert listings[0] == listings[1]
    assert [path for path, *_ in listings[0]] == sorted(TREE)


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
    with pytest.raises(FileError, match=r"There is no movies\.csv or movies\.parquet in .* \(CINEMATCH_DRIVE\)"):
        find_table(folder, "movies")
    write("movies.csv", b"1")
    write("movies_old.csv", b"1")
    assert find_table(folder, "movies").path == "movies.csv"
    write("movies.parquet", b"1")
    with pytest.raises(SeveralTableFilesError, match=r"movies\.csv and movies\.parquet in .*: keep one"):
        find_table(folder, "movies")
