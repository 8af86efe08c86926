"""The fault table of docs/drive.md: each fault of a download, and its outcome."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cinematch_assets.drive.folder import FileChangedError, FileError, TokenError, UnreachableError
from cinematch_assets.drive.google_client import GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.landing import land
from cinematch_assets.drive.token import DriveCredentials, TokenFile
from cinematch_assets.storage.atomic_file import WriteError
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.values import DriveFile
from cinematch_assets_tests.drive.conftest import QUICK_RETRIES
from cinematch_assets_tests.support.drive_server import DriveServer, Fault

pytestmark = pytest.mark.faults("drive")

CHUNK = QUICK_RETRIES.progress_bytes
CONTENT = os.urandom(5 * CHUNK + 12_345)


@pytest.fixture(params=["large", "small"])
def file(request: pytest.FixtureRequest, drive: DriveServer, google: GoogleFolder) -> DriveFile:
    drive.add_file(google.folder_id, "ratings.csv", CONTENT if request.param == "large" else CONTENT[:300_000])
    return google.list_files().files[0]


@pytest.fixture
def large(drive: DriveServer, google: GoogleFolder) -> DriveFile:
    drive.add_file(google.folder_id, "ratings.csv", CONTENT)
    return google.list_files().files[0]


@pytest.fixture
def google_renewing(drive: DriveServer, google: GoogleFolder, token_file: Path) -> Iterator[GoogleFolder]:
    """The same folder, whose access token may be renewed again right after it was."""
    credentials = DriveCredentials(TokenFile(token_file), min_refresh_interval_s=0)
    client = GoogleClient(credentials, endpoint=drive.url, retry_policy=QUICK_RETRIES)
    GoogleFolder(google.folder_id, client).read_name()
    yield GoogleFolder(google.folder_id, client)
    client.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "landed" / "object"


PASSING = {
    "IncompleteRead": [Fault("broken off", at=100_000)],
    "IncompleteRead at the first byte": [Fault("broken off", at=0)],
    "IncompleteRead three times over": [Fault("broken off", at=50_000, times=3)],
    "500": [Fault("500", times=2)],
    "503": [Fault("503", times=3)],
    "503 in mid-file": [Fault("broken off", at=200_000), Fault("503", times=2)],
    "429": [Fault("429", times=2)],
    "429 with Retry-After": [Fault("429", retry_after="1")],
    "rate-limit 403": [Fault("rate limit 403", times=2)],
    "connection lost": [Fault("connection lost", times=2)],
    "a 200 in mid-file": [Fault("broken off", at=200_000), Fault("whole file instead", only_in_mid_file=True)],
    "a wrong range": [Fault("broken off", at=200_000), Fault("wrong range", only_in_mid_file=True)],
    "too slow": [Fault("too slow")],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_after_a_passing_fault_the_file_is_right(
    drive: DriveServer, google: GoogleFolder, file: DriveFile, target: Path, faults: list[Fault]
) -> None:
    content = drive.items[file.id].content
    drive.faults = [Fault(**vars(fault)) for fault in faults]
    google.fetch(file, target)
    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["object"]
    # Bytes of an answer to the wrong range stay in the sockets' buffers when the connection is closed.
    in_buffers = 4 * CHUNK if faults[-1].kind in {"whole file instead", "wrong range"} else 0
    assert drive.bytes_sent() <= len(content) + CHUNK + in_buffers


@pytest.mark.parametrize("kind", ["503", "429", "rate limit 403", "connection lost", "broken off", "too slow"])
def test_a_lasting_fault_is_an_error_and_leaves_no_file(
    drive: DriveServer, google: GoogleFolder, file: DriveFile, target: Path, kind: str
) -> None:
    drive.faults = [Fault(kind, times=99, at=10)]
    with pytest.raises(
        UnreachableError, match=r"^ratings\.csv: Google Drive .*; given up after 4 attempts\.$"
    ) as fault:
        google.fetch(file, target)
    assert "\n" not in str(fault.value)
    assert not target.exists()


@pytest.mark.parametrize("kind", ["whole file instead", "wrong range"])
def test_after_wrong_ranges_the_next_download_starts_at_byte_0(
    drive: DriveServer, google: GoogleFolder, large: DriveFile, target: Path, kind: str
) -> None:
    drive.faults = [Fault("broken off", at=200_000), Fault(kind, times=99, only_in_mid_file=True)]
    with pytest.raises(
        UnreachableError, match=r"ratings.csv: Google Drive answers 20[06] .*when asked to resume at byte 200,000"
    ):
        google.fetch(large, target)
    assert not target.exists()
    google.fetch(large, target)
    assert target.read_bytes() == CONTENT


def test_damaged_bytes_are_fetched_once_more(
    drive: DriveServer, google: GoogleFolder, file: DriveFile, target: Path
) -> None:
    drive.faults = [Fault("damaged", at=1234)]
    google.fetch(file, target)
    assert target.read_bytes() == drive.items[file.id].content


def test_bytes_damaged_twice_are_refused(
    drive: DriveServer, google: GoogleFolder, file: DriveFile, target: Path
) -> None:
    drive.faults = [Fault("damaged", at=1234, times=99)]
    with pytest.raises(FileError, match=r"ratings\.csv: the bytes that Google Drive sends do not have the md5"):
        google.fetch(file, target)
    assert not target.exists()
    assert len(drive.content_requests()) == 2


def test_a_file_changed_while_it_is_read_is_fetched_after_the_next_listing(
    drive: DriveServer, google: GoogleFolder, file: DriveFile, target: Path
) -> None:
    drive.faults = [Fault("changes while read", at=100_000)]
    with pytest.raises(FileChangedError, match=r"ratings\.csv changed in Google Drive while it was read"):
        google.fetch(file, target)
    assert not target.exists()
    (listed_again,) = google.list_files().files
    google.fetch(listed_again, target)
    assert target.read_bytes() == drive.items[file.id].content


@pytest.mark.parametrize(
    "change",
    [
        lambda drive, file: drive.change_file(file.id, CONTENT[:1000]),
        lambda drive, file: drive.change_file(file.id, CONTENT * 2),
        lambda drive, file: drive.change_file(file.id, CONTENT[::-1][: file.size]),
        lambda drive, file: drive.items.pop(file.id),
    ],
    ids=["shorter", "longer", "other", "gone"],
)
def test_a_file_changed_since_the_listing_does_not_appear(
    drive: DriveServer,
    google: GoogleFolder,
    file: DriveFile,
    target: Path,
    change: Callable[[DriveServer, DriveFile], None],
) -> None:
    change(drive, file)
    with pytest.raises(FileError, match=r"ratings\.csv( changed|: Google Drive says 404)"):
        google.fetch(file, target)
    assert not target.exists()


def test_a_file_that_may_not_be_downloaded_fails_at_once(
    drive: DriveServer, google: GoogleFolder, file: DriveFile, target: Path
) -> None:
    drive.faults = [Fault("may not be downloaded", times=99)]
    with pytest.raises(FileError, match="403: This file cannot be downloaded by the user"):
        google.fetch(file, target)
    assert drive.faults[0].times == 98


def test_an_empty_file_is_a_file(drive: DriveServer, google: GoogleFolder, target: Path) -> None:
    drive.add_file(google.folder_id, "empty.json", b"")
    google.fetch(google.list_files().files[0], target)
    assert target.read_bytes() == b""


def test_an_access_token_that_expires_is_renewed_during_the_download(
    drive: DriveServer, google_renewing: GoogleFolder, file: DriveFile, target: Path
) -> None:
    drive.access_tokens.clear()
    before = drive.token_requests
    google_renewing.fetch(file, target)
    assert target.read_bytes() == drive.items[file.id].content
    assert drive.token_requests == before + 1


def test_a_token_revoked_during_the_download_fails_in_one_attempt(
    drive: DriveServer, google_renewing: GoogleFolder, file: DriveFile, target: Path
) -> None:
    drive.revoke_all()
    before = drive.token_requests
    with pytest.raises(TokenError, match="run `cinematch drive login`"):
        google_renewing.fetch(file, target)
    assert drive.token_requests == before + 1
    assert not target.exists()


def test_a_part_left_by_another_process_is_resumed(
    drive: DriveServer, google: GoogleFolder, large: DriveFile, target: Path
) -> None:
    drive.faults = [Fault("broken off", at=3 * CHUNK), Fault("503", times=99)]
    with pytest.raises(UnreachableError):
        google.fetch(large, target)
    drive.faults = []
    google.fetch(large, target)
    assert target.read_bytes() == CONTENT
    assert drive.bytes_sent() == len(CONTENT)


def test_a_part_of_older_content_is_not_resumed(
    drive: DriveServer, google: GoogleFolder, large: DriveFile, target: Path
) -> None:
    drive.faults = [Fault("broken off", at=3 * CHUNK), Fault("503", times=99)]
    with pytest.raises(UnreachableError):
        google.fetch(large, target)
    drive.faults = []
    drive.change_file(large.id, CONTENT[::-1])
    google.fetch(google.list_files().files[0], target)
    assert target.read_bytes() == CONTENT[::-1]
    assert [path.name for path in target.parent.iterdir()] == ["object"]


def test_a_part_that_lost_its_bytes_in_a_power_cut_is_fetched_anew(
    google: GoogleFolder, large: DriveFile, target: Path
) -> None:
    target.parent.mkdir()
    for part in (bytes(2 * CHUNK), CONTENT + b"more"):
        target.with_name(f".object.{large.md5}.part").write_bytes(part)
        google.fetch(large, target)
        assert target.read_bytes() == CONTENT


def test_a_full_disk_is_named_and_leaves_no_file(
    google: GoogleFolder, file: DriveFile, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(descriptor: int, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cinematch_assets.storage.atomic_file.write_all", fill_the_disk)
    monkeypatch.setattr("cinematch_assets.drive.download.write_all", fill_the_disk)
    with pytest.raises(WriteError, match=r"landed/object: the disk is full"):
        google.fetch(file, target)
    assert not target.exists()


def _land(endpoint: str, token_file: Path, root: str, file: DriveFile, store: Path) -> None:
    client = GoogleClient(DriveCredentials(TokenFile(token_file)), endpoint=endpoint, retry_policy=QUICK_RETRIES)
    land(GoogleFolder(root, client), file, LocalStore(store))


def test_landing_resumes_after_kill_9_at_any_moment(
    drive: DriveServer, google: GoogleFolder, large: DriveFile, token_file: Path, tmp_path: Path
) -> None:
    spawn = multiprocessing.get_context("spawn")
    drive.delay_s = 0.02
    drive.faults = [Fault("broken off", at=700_000, times=1000)]  # so that it takes a while
    store = LocalStore(tmp_path / "store")
    kills = 0
    for _ in range(10):
        worker = spawn.Process(target=_land, args=(drive.url, token_file, google.folder_id, large, store.root))
        before = drive.bytes_sent()
        worker.start()
        while worker.is_alive() and drive.bytes_sent() - before < CHUNK:
            time.sleep(0.005)
        if worker.is_alive():
            assert list(store.keys()) == []
            os.kill(worker.pid, signal.SIGKILL)
            kills += 1
        worker.join()
        if list(store.keys()):
            break
    landed = land(google, large, store)
    assert store.read_bytes(landed.key) == CONTENT
    assert kills >= 1
    assert drive.bytes_sent() <= len(CONTENT) + kills * CHUNK
    assert list((store.root / ".staging").iterdir()) == []
