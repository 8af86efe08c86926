import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cinematch_assets.drive.folder import DriveError, UnreachableError
from cinematch_assets.drive.google_client import GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.token import DriveCredentials, TokenFile
from cinematch_assets_tests.drive.conftest import QUICK_RETRIES
from cinematch_assets_tests.support.drive_server import CLIENT_SECRET, DriveServer, Fault


@pytest.mark.parametrize("kind", ["500", "503", "429", "rate limit 403", "connection lost"])
def test_a_request_that_fails_for_a_moment_is_retried(drive: DriveServer, google: GoogleFolder, kind: str) -> None:
    drive.add_file(google.folder_id, "x.csv", b"1")
    drive.faults = [Fault(kind, where="/files?", times=2)]
    assert [file.path for file in google.list_files().files] == ["x.csv"]


def test_retry_after_is_respected(drive: DriveServer, google: GoogleFolder) -> None:
    drive.add_file(google.folder_id, "x.csv", b"1")
    google.list_files()
    drive.faults = [Fault("429", where="/files?", retry_after="1")]
    started = time.monotonic()
    google.list_files()
    assert time.monotonic() - started >= 1


def test_a_wait_of_an_hour_is_an_error_at_once(drive: DriveServer, google: GoogleFolder) -> None:
    drive.faults = [Fault("429", where="/files/", retry_after="3600")]
    with pytest.raises(DriveError, match=r"429 .*asks to wait for 3,600 s"):
        google.list_files()


def test_a_refusal_has_googles_own_message(drive: DriveServer, google: GoogleFolder) -> None:
    drive.faults = [Fault("api is off", where="/files/")]
    with pytest.raises(DriveError, match=r"Google Drive says 403: Google Drive API has not been used in project"):
        google.list_files()


def test_a_token_is_not_sent_unencrypted(token_file: Path) -> None:
    with pytest.raises(DriveError, match=r"GOOGLE_DRIVE_ENDPOINT=http://drive\.example would carry the token unencr"):
        open_folder("gdrive:abc", google_endpoint="http://drive.example", token_file=token_file)


def test_an_answer_that_is_no_json_is_retried(drive: DriveServer, google: GoogleFolder) -> None:
    drive.faults = [Fault("no json", where="/files/", times=1)]
    assert google.read_name() == "CineMatch"
    drive.faults = [Fault("no json", where="/files/", times=99)]
    with pytest.raises(UnreachableError, match=r"Google Drive answers with no JSON .*; given up after 4 attempts"):
        google.read_name()


def test_each_retry_is_logged_with_its_cause_and_wait(
    drive: DriveServer, google: GoogleFolder, caplog: pytest.LogCaptureFixture
) -> None:
    drive.faults = [Fault("503", where="/files?", times=2)]
    google.list_files()
    retries = [record for record in caplog.records if record.name == "cinematch_assets.drive.google_client"]
    assert [record.levelno for record in retries] == [logging.WARNING] * 2
    for number, record in enumerate(retries, start=1):
        message = f"Google Drive says 503 (Backend Error); attempt {number} of 4 failed, the next one is in 0.0 s"
        assert record.getMessage() == message


def test_a_pause_for_the_rate_limit_is_logged(
    drive: DriveServer, google: GoogleFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    drive.faults = [Fault("429", where="/files?")]
    google.list_files()
    assert "asks for fewer requests" in caplog.text


def test_a_download_is_logged_with_its_bytes(
    drive: DriveServer, google: GoogleFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cinematch_assets")
    drive.add_file(google.folder_id, "movies.csv", b"12345")
    (file,) = google.list_files().files
    google.fetch(replace(file, path="movies\n.csv"), tmp_path / "target")
    assert caplog.records[-1].getMessage().startswith(r"'movies\n.csv': 5 bytes from byte 0 on in 0.")


def test_no_log_record_holds_a_token(
    drive: DriveServer, token_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    root = drive.add_folder(None, "CineMatch")
    drive.add_file(root, "movies.csv", b"1")
    client = GoogleClient(DriveCredentials(TokenFile(token_file)), endpoint=drive.url, retry_policy=QUICK_RETRIES)
    folder = GoogleFolder(root, client)
    drive.faults = [Fault(kind, where="/files") for kind in ("429", "connection lost", "no json")]
    (file,) = folder.list_files().files
    drive.faults = [Fault("broken off"), Fault("500"), Fault("damaged")]
    folder.fetch(file, tmp_path / "target")
    drive.faults = [Fault("connection lost", times=99)]
    with pytest.raises(UnreachableError):
        folder.fetch(file, tmp_path / "other")
    client.close()
    canaries = (*drive.access_tokens, *drive.refresh_tokens, CLIENT_SECRET)
    assert len(canaries) == 3
    assert caplog.records
    for record in caplog.records:
        assert not [canary for canary in canaries if canary in f"{record.getMessage()}{record.args}{record.exc_text}"]
