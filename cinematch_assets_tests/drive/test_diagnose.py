import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cinematch_assets.drive.diagnose import check_google, check_local, lifetime
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.token import TokenFile
from cinematch_assets_tests.support.drive_server import SHORTCUT, DriveServer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def standings(drive: DriveServer, folder_id: str, token_file: Path) -> dict[str, tuple[str, str]]:
    findings = check_google(folder_id, TokenFile(token_file), endpoint=drive.url)
    return {finding.subject: (finding.standing, finding.words) for finding in findings}


def test_all_that_works_is_said(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.file(google.folder_id, "movies.csv", bytes(2_000_000))
    found = standings(drive, google.folder_id, token_file)
    assert list(found) == ["token", "lifetime", "scope", "account", "folder", "files"]
    assert found["token"] == ("good", f"renews; kept in {token_file}")
    assert found["scope"] == ("good", "may only read: https://www.googleapis.com/auth/drive.readonly")
    assert found["account"] == ("good", "owner@example.org")
    assert found["folder"] == ("good", f"CineMatch (gdrive:{google.folder_id})")
    assert found["files"] == ("good", f"1 files, 2.0 MB in gdrive:{google.folder_id}")


def test_the_first_fault_ends_the_list(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.invisible.add(google.folder_id)
    found = standings(drive, google.folder_id, token_file)
    assert list(found)[-1] == "folder"
    assert found["folder"][0] == "bad"
    assert "cannot see" in found["folder"][1]
    drive.revoke_all()
    found = standings(drive, google.folder_id, token_file)
    assert list(found) == ["token"]
    assert found["token"][0] == "bad"
    assert "run `cinematch drive login`" in found["token"][1]


def test_a_token_that_others_may_read_is_worth_a_look(
    drive: DriveServer, google: GoogleFolder, token_file: Path
) -> None:
    token_file.chmod(0o644)
    assert standings(drive, google.folder_id, token_file)["token"][0] == "look"


def test_what_was_left_out_is_counted(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.add(google.folder_id, "link", SHORTCUT)
    standing, words = standings(drive, google.folder_id, token_file)["files"]
    assert standing == "look"
    assert words.endswith("1 left out, the first of them link, which is a shortcut: put the file itself there")


@pytest.mark.parametrize(
    ("token", "standing", "words"),
    [
        ({}, "look", "not known when it was granted"),
        ({"granted_at": "nonsense"}, "look", "not known when it was granted"),
        (
            {"granted_at": (NOW - timedelta(days=2)).isoformat()},
            "look",
            'if the app is in "Testing", it ends on 2026-11-27',
        ),
        ({"granted_at": (NOW - timedelta(days=30)).isoformat()}, "good", "granted 30 days ago and still good"),
        ({"ends_at": (NOW + timedelta(days=1.5)).isoformat()}, "look", "ends on 2026-11-24 00:00 UTC, in 1.5 days"),
    ],
)
def test_the_risk_of_its_ending_is_said(token: dict[str, str], standing: str, words: str) -> None:
    finding = lifetime(json.loads(json.dumps(token)), NOW)
    assert finding.standing == standing
    assert words in finding.words


def test_a_local_folder_needs_no_token(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_bytes(b"1")
    (finding,) = check_local(LocalFolder(tmp_path, min_age_s=0))
    assert (finding.standing, finding.words) == ("good", f"1 files, 0.0 MB in {tmp_path}")
    (finding,) = check_local(LocalFolder(tmp_path / "none"))
    assert finding.standing == "bad"
