import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cinematch_assets.drive.folder import FileChangedError
from cinematch_assets.drive.landing import land, landing_key
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.storage.base import Store
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.storage.opening import open_store
from cinematch_assets.values import DriveFile


class CountingFolder(LocalFolder):
    fetched: int = 0

    def fetch(self, file: DriveFile, target: Path) -> None:
        CountingFolder.fetched += 1
        super().fetch(file, target)


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    (tmp_path / "drop").mkdir()
    CountingFolder.fetched = 0
    return CountingFolder(tmp_path / "drop", min_age_s=0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def test_a_file_lands_unchanged_under_its_id_and_content(folder: LocalFolder, store: Store) -> None:
    (folder.root / "Ratings; DROP TABLE.csv").write_bytes(b"userId\r\n")
    (file,) = folder.list_files().files
    landed = land(folder, file, store)
    assert landed.key == f"landed/{file.id}/{file.md5}.csv"
    assert store.read_bytes(landed.key) == b"userId\r\n"
    assert (landed.file_name, landed.size, landed.md5) == ("Ratings; DROP TABLE.csv", 8, file.md5)
    assert landed.landed_at.tzinfo is not None
    assert not landed.unchanged


def test_the_same_content_is_not_fetched_again(folder: LocalFolder, store: Store) -> None:
    (folder.root / "movies.csv").write_bytes(b"1")
    first = land(folder, folder.list_files().files[0], store)
    os.utime(folder.root / "movies.csv", (0, 0))
    second = land(folder, folder.list_files().files[0], store)
    assert second.unchanged
    assert (second.key, second.landed_at) == (first.key, first.landed_at)
    assert CountingFolder.fetched == 1


def test_changed_content_lands_beside_the_old(folder: LocalFolder, store: Store) -> None:
    keys = []
    for content in (b"1", b"2"):
        (folder.root / "movies.csv").write_bytes(content)
        keys.append(land(folder, folder.list_files().files[0], store).key)
    assert [store.read_bytes(key) for key in keys] == [b"1", b"2"]


def test_a_file_that_changed_meanwhile_is_not_landed(folder: LocalFolder, store: Store) -> None:
    (folder.root / "movies.csv").write_bytes(b"1")
    (file,) = folder.list_files().files
    (folder.root / "movies.csv").write_bytes(b"2")
    with pytest.raises(FileChangedError):
        land(folder, file, store)
    assert list(store.keys()) == []


def test_threads_that_land_the_same_file_fetch_it_once(folder: LocalFolder, store: LocalStore) -> None:
    (folder.root / "movies.csv").write_bytes(os.urandom(1_000_000))
    (file,) = folder.list_files().files
    with ThreadPoolExecutor(8) as pool:
        landed = list(pool.map(lambda _: land(folder, file, store), range(8)))
    assert CountingFolder.fetched == 1
    assert sorted(one.unchanged for one in landed) == [False, *[True] * 7]
    assert list((store.root / ".staging").iterdir()) == []


@pytest.mark.parametrize(("name", "suffix"), [("a.PARQUET", ".parquet"), ("a.csv/../../b", ""), ("noext", "")])
def test_the_key_has_only_a_known_suffix_of_the_name(name: str, suffix: str) -> None:
    file = DriveFile(id="1abc", path=name, name=name, size=1, md5="0" * 32)
    assert landing_key(file) == f"landed/1abc/{'0' * 32}{suffix}"
