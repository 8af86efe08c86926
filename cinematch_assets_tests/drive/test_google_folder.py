import hashlib
import time
from pathlib import Path

import pytest

from cinematch_assets.drive.folder import DriveError, TokenError, find_table
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.values import DriveFile
from cinematch_assets_tests.support.drive_server import SHORTCUT, SPREADSHEET, DriveServer, Fault


def test_a_look_pages_through_folders_in_folders(drive: DriveServer, google: GoogleFolder) -> None:
    drive.page_size = 2
    drive.file(google.folder_id, "movies.csv", b"movieId,title,genres\n")
    inner = drive.folder(drive.folder(google.folder_id, "Netflix_Movie_Collection"), "a")
    for number in range(5):
        drive.file(inner, f"{number}.json", str(number).encode())
    look = google.look()
    assert [file.path for file in look.files] == [
        *(f"Netflix_Movie_Collection/a/{number}.json" for number in range(5)),
        "movies.csv",
    ]
    assert look.files[5].md5 == hashlib.md5(b"movieId,title,genres\n", usedforsecurity=False).hexdigest()
    assert (look.files[5].name, look.files[5].size) == ("movies.csv", 21)
    assert look.skipped == ()


def test_a_look_below_a_folder_does_not_walk_the_others(drive: DriveServer, google: GoogleFolder) -> None:
    drive.file(drive.folder(google.folder_id, "batches"), "batch_w1.csv", b"1")
    drive.file(drive.folder(google.folder_id, "Batches"), "batch_w2.csv", b"2")  # Drive's search ignores case
    drive.file(drive.folder(google.folder_id, "Bob's \\ folder"), "x.csv", b"3")
    assert [file.path for file in google.files("batches")] == ["batches/batch_w1.csv"]
    assert [file.name for file in google.files("Bob's \\ folder")] == ["x.csv"]
    assert google.look("no_such_folder").files == ()
    google.look("", recursive=False)
    assert find_table(google, "batches/batch_w1").name == "batch_w1.csv"


def test_what_is_no_file_is_left_out_and_said(drive: DriveServer, google: GoogleFolder) -> None:
    drive.add(google.folder_id, "a link", SHORTCUT, target="somewhere")
    drive.add(google.folder_id, "movies", SPREADSHEET)
    trashed = drive.file(google.folder_id, "old.csv", b"1")
    drive.items[trashed].trashed = True
    look = google.look()
    assert look.files == ()
    assert {entry.path: entry.reason for entry in look.skipped} == {
        "a link": "is a shortcut: put the file itself there",
        "movies": "is a Google spreadsheet, which has no content of its own: export it",
    }
    with pytest.raises(DriveError, match=r"movies in gdrive:.* is a Google spreadsheet"):
        find_table(google, "movies", patience_s=0)


def test_cycles_are_survived(drive: DriveServer, google: GoogleFolder) -> None:
    inner = drive.folder(google.folder_id, "a")
    drive.file(inner, "x.csv", b"1")
    drive.also_in(google.folder_id, inner)
    look = google.look()
    assert [file.path for file in look.files] == ["a/x.csv"]
    assert [entry.path for entry in look.skipped] == ["a/CineMatch"]


def test_names_cannot_make_paths(drive: DriveServer, google: GoogleFolder) -> None:
    drive.file(google.folder_id, "a/../../etc/passwd", b"1")
    drive.file(google.folder_id, "same.json", b"1")
    drive.file(google.folder_id, "same.json", b"2")
    files = google.look().files
    assert [file.path for file in files] == ["a\u2215..\u2215..\u2215etc\u2215passwd", "same.json", "same.json"]
    assert len({file.id for file in files}) == 3


def test_an_unchanged_folder_looks_the_same(drive: DriveServer, google: GoogleFolder) -> None:
    for number in range(20):
        drive.file(drive.folder(google.folder_id, f"f{number}"), "x.json", str(number).encode())
    assert google.look() == google.look()
    assert drive.content_requests() == []


@pytest.mark.parametrize("kind", ["500", "503", "429", "rate limit 403", "connection lost"])
def test_a_listing_that_fails_for_a_moment_is_asked_again(drive: DriveServer, google: GoogleFolder, kind: str) -> None:
    drive.file(google.folder_id, "x.csv", b"1")
    drive.faults = [Fault(kind, where="/files?", times=2)]
    assert [file.path for file in google.files()] == ["x.csv"]


def test_retry_after_is_respected(drive: DriveServer, google: GoogleFolder) -> None:
    drive.file(google.folder_id, "x.csv", b"1")
    google.look()
    drive.faults = [Fault("429", where="/files?", retry_after="1")]
    started = time.monotonic()
    google.look()
    assert time.monotonic() - started >= 1


def test_a_wait_of_an_hour_is_refused_at_once(drive: DriveServer, google: GoogleFolder) -> None:
    drive.faults = [Fault("429", where="/files/", retry_after="3600")]
    with pytest.raises(DriveError, match=r"429 .*asks to wait for 3,600 s"):
        google.look()


def test_a_listing_that_goes_on_failing_fails_whole(drive: DriveServer, google: GoogleFolder) -> None:
    drive.file(google.folder_id, "x.csv", b"1")
    drive.file(drive.folder(google.folder_id, "inner"), "y.csv", b"1")
    inner = next(item.id for item in drive.items.values() if item.name == "inner")
    drive.faults = [Fault("503", where=inner, times=99)]
    with pytest.raises(DriveError, match=r"503 .Backend Error.; given up after 4 attempts"):
        google.look()


def test_a_folder_that_the_account_cannot_see_is_named(drive: DriveServer, google: GoogleFolder) -> None:
    drive.invisible.add(google.folder_id)
    with pytest.raises(DriveError, match=rf"cannot see gdrive:{google.folder_id}: share .* CINEMATCH_DRIVE"):
        google.look()


def test_what_is_no_folder_is_named(drive: DriveServer, google: GoogleFolder) -> None:
    file = drive.file(google.folder_id, "x.csv", b"1")
    link = drive.add(None, "link", SHORTCUT, target=google.folder_id)
    with pytest.raises(DriveError, match=r"\(x\.csv\) is not a folder"):
        GoogleFolder(file, google.client).look()
    with pytest.raises(DriveError, match=f"is a shortcut: set CINEMATCH_DRIVE to gdrive:{google.folder_id}"):
        GoogleFolder(link, google.client).look()
    drive.items[google.folder_id].trashed = True
    with pytest.raises(DriveError, match="is in the bin"):
        google.look()


@pytest.mark.parametrize("folder_id", ["", "a b", "https://drive.example/folders/1", "'; drop"])
def test_an_id_that_is_none_is_refused(token_file: Path, folder_id: str) -> None:
    with pytest.raises(DriveError, match=r"CINEMATCH_DRIVE=gdrive:.* has no folder id"):
        open_folder(f"gdrive:{folder_id}", token_file=token_file)


def test_the_api_being_off_is_said_in_googles_words(drive: DriveServer, google: GoogleFolder) -> None:
    drive.faults = [Fault("api is off", where="/files/")]
    with pytest.raises(DriveError, match=r"Google Drive says 403: Google Drive API has not been used in project"):
        google.look()


def test_a_token_is_not_sent_unencrypted(token_file: Path) -> None:
    with pytest.raises(DriveError, match=r"GOOGLE_DRIVE_ENDPOINT=http://drive\.example would carry the token unencr"):
        open_folder("gdrive:abc", google_endpoint="http://drive.example", token_file=token_file)


def test_the_folder_opens_by_its_setting(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.file(google.folder_id, "x.csv", b"1")
    folder = open_folder(google.spec, google_endpoint=drive.url, token_file=token_file)
    (file,) = folder.files()
    assert isinstance(file, DriveFile)
    assert folder.spec == f"gdrive:{google.folder_id}"


def test_no_token_named_says_what_to_set() -> None:
    with pytest.raises(TokenError, match="GOOGLE_TOKEN_FILE or GCP_SECRET_NAME, or run `cinematch drive login`"):
        open_folder("gdrive:abc")
