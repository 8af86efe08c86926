import hashlib

import pytest

from cinematch_assets.drive.folder import DriveError, FileError, UnreachableError, find_table
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets_tests.support.drive_server import SHORTCUT, SPREADSHEET, DriveServer, Fault

pytestmark = pytest.mark.faults("drive")


def test_a_listing_has_all_pages_of_inner_folders(drive: DriveServer, google: GoogleFolder) -> None:
    drive.page_size = 2
    drive.add_file(google.folder_id, "movies.csv", b"movieId,title,genres\n")
    inner = drive.add_folder(drive.add_folder(google.folder_id, "Netflix_Movie_Collection"), "a")
    for number in range(5):
        drive.add_file(inner, f"{number}.json", str(number).encode())
    listing = google.list_files()
    assert [file.path for file in listing.files] == [
        *(f"Netflix_Movie_Collection/a/{number}.json" for number in range(5)),
        "movies.csv",
    ]
    assert listing.files[5].md5 == hashlib.md5(b"movieId,title,genres\n", usedforsecurity=False).hexdigest()
    assert (listing.files[5].name, listing.files[5].size) == ("movies.csv", 21)
    assert listing.skipped == ()


def test_a_listing_of_a_sub_folder_has_its_files_alone(drive: DriveServer, google: GoogleFolder) -> None:
    drive.add_file(drive.add_folder(google.folder_id, "batches"), "batch_w1.csv", b"1")
    drive.add_file(drive.add_folder(google.folder_id, "Batches"), "batch_w2.csv", b"2")  # Drive's search ignores case
    drive.add_file(drive.add_folder(google.folder_id, "Bob's \\ folder"), "x.csv", b"3")
    assert [file.path for file in google.list_files("batches").files] == ["batches/batch_w1.csv"]
    assert [file.name for file in google.list_files("Bob's \\ folder").files] == ["x.csv"]
    assert google.list_files("no_such_folder").files == ()
    google.list_files("", recursive=False)
    assert find_table(google, "batches/batch_w1").name == "batch_w1.csv"


def test_an_entry_that_is_no_file_is_skipped_with_the_reason(drive: DriveServer, google: GoogleFolder) -> None:
    drive.add(google.folder_id, "a link", SHORTCUT, target="somewhere")
    drive.add(google.folder_id, "movies", SPREADSHEET)
    trashed = drive.add_file(google.folder_id, "old.csv", b"1")
    drive.items[trashed].trashed = True
    listing = google.list_files()
    assert listing.files == ()
    assert {entry.path: entry.reason for entry in listing.skipped} == {
        "a link": "is a shortcut: put the file itself there",
        "movies": "is a Google spreadsheet, which has no content of its own: export it",
    }
    with pytest.raises(DriveError, match=r"movies in gdrive:.* is a Google spreadsheet"):
        find_table(google, "movies", wait_s=0)


def test_a_folder_in_a_cycle_is_listed_once(drive: DriveServer, google: GoogleFolder) -> None:
    inner = drive.add_folder(google.folder_id, "a")
    drive.add_file(inner, "x.csv", b"1")
    drive.add_parent(google.folder_id, inner)
    listing = google.list_files()
    assert [file.path for file in listing.files] == ["a/x.csv"]
    assert [entry.path for entry in listing.skipped] == ["a/CineMatch"]


def test_names_cannot_make_paths(drive: DriveServer, google: GoogleFolder) -> None:
    drive.add_file(google.folder_id, "a/../../etc/passwd", b"1")
    drive.add_file(google.folder_id, "same.json", b"1")
    drive.add_file(google.folder_id, "same.json", b"2")
    files = google.list_files(is_wanted=lambda _: True).files
    assert [file.path for file in files] == ["a\u2215..\u2215..\u2215etc\u2215passwd", "same.json", "same.json"]
    assert len({file.id for file in files}) == 3


def test_an_unchanged_folder_has_the_same_listing(drive: DriveServer, google: GoogleFolder) -> None:
    for number in range(20):
        drive.add_file(drive.add_folder(google.folder_id, f"f{number}"), "x.json", str(number).encode())
    assert google.list_files() == google.list_files()
    assert drive.content_requests() == []


@pytest.mark.parametrize(
    ("kind", "reason", "for_now"),
    [
        ("503", "cannot be listed just now: Google Drive does not answer for it", True),
        ("may not be downloaded", "cannot be listed: Google Drive says 403", False),
        ("not found", "cannot be listed: Google Drive says 404", False),
    ],
)
def test_a_folder_that_cannot_be_listed_is_left_out_and_the_rest_goes_on(
    drive: DriveServer, google: GoogleFolder, kind: str, reason: str, for_now: bool
) -> None:
    drive.add_file(google.folder_id, "x.csv", b"1")
    batches = drive.add_folder(google.folder_id, "batches")
    drive.add_file(batches, "y.csv", b"1")
    drive.faults = [Fault(kind, where=batches, times=99)]
    listing = google.list_files()
    assert [file.path for file in listing.files] == ["x.csv"]
    assert [(entry.path, entry.reason, entry.for_now) for entry in listing.skipped] == [("batches", reason, for_now)]
    assert google.list_files("batches").skipped == listing.skipped
    with pytest.raises(FileError, match=f"^batches in gdrive:.*{reason}"):
        find_table(google, "batches/y", wait_s=0)


def test_a_folder_of_which_the_top_cannot_be_listed_is_an_error(drive: DriveServer, google: GoogleFolder) -> None:
    drive.faults = [Fault("503", where="parents", times=99)]
    with pytest.raises(UnreachableError, match=r"503 .Backend Error.; given up after 4 attempts"):
        google.list_files()


def test_an_entry_that_lacks_what_google_promises_is_skipped(drive: DriveServer, google: GoogleFolder) -> None:
    drive.add_file(google.folder_id, "x.csv", b"1")
    for name, changes in {
        "no id.csv": {"id": "'; drop"},
        "no kind.csv": {"kind": None},
        "no md5.csv": {"md5": "short"},
    }.items():
        item = drive.items[drive.add_file(google.folder_id, name, b"1")]
        for key, value in changes.items():
            setattr(item, key, value)
    listing = google.list_files()
    assert [file.path for file in listing.files] == ["x.csv"]
    assert [entry.path for entry in listing.skipped] == ["no id.csv", "no kind.csv", "no md5.csv"]


def test_a_folder_that_the_account_cannot_see_is_named(drive: DriveServer, google: GoogleFolder) -> None:
    drive.invisible.add(google.folder_id)
    with pytest.raises(DriveError, match=rf"cannot see gdrive:{google.folder_id}: share .* CINEMATCH_DRIVE"):
        google.list_files()


def test_an_id_that_is_no_folder_is_named(drive: DriveServer, google: GoogleFolder) -> None:
    file = drive.add_file(google.folder_id, "x.csv", b"1")
    link = drive.add(None, "link", SHORTCUT, target=google.folder_id)
    with pytest.raises(DriveError, match=r"\(x\.csv\) is not a folder"):
        GoogleFolder(file, google.client).list_files()
    with pytest.raises(DriveError, match=f"is a shortcut: set CINEMATCH_DRIVE to gdrive:{google.folder_id}"):
        GoogleFolder(link, google.client).list_files()
    drive.items[google.folder_id].trashed = True
    with pytest.raises(DriveError, match="is in the trash"):
        google.list_files()
