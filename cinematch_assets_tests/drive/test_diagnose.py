import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cinematch_assets.drive.diagnose import check_google, check_lifetime, check_local
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.token import TokenFile
from cinematch_assets_tests.support.drive_server import SHORTCUT, DriveServer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read_findings(drive: DriveServer, folder_id: str, token_file: Path) -> dict[str, tuple[str, str]]:
    findings = check_google(folder_id, TokenFile(token_file), endpoint=drive.url)
    return {finding.subject: (finding.status, finding.message) for finding in findings}


def test_each_requirement_has_a_finding(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.add_file(google.folder_id, "movies.csv", bytes(2_000_000))
    found = read_findings(drive, google.folder_id, token_file)
    assert list(found) == ["token", "lifetime", "scope", "account", "folder", "files"]
    assert found["token"] == ("ok", f"renews; kept in {token_file}")
    assert found["scope"] == ("ok", "may only read: https://www.googleapis.com/auth/drive.readonly")
    assert found["account"] == ("ok", "owner@example.org")
    assert found["folder"] == ("ok", f"CineMatch (gdrive:{google.folder_id})")
    assert found["files"] == ("ok", f"1 file, 2.0 MB in gdrive:{google.folder_id}")


def test_the_first_failure_is_the_last_finding(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.invisible.add(google.folder_id)
    found = read_findings(drive, google.folder_id, token_file)
    assert list(found)[-1] == "folder"
    assert found["folder"][0] == "failed"
    assert "cannot see" in found["folder"][1]
    drive.revoke_all()
    found = read_findings(drive, google.folder_id, token_file)
    assert list(found) == ["token"]
    assert found["token"][0] == "failed"
    assert "run `cinematch drive login`" in found["token"][1]


def test_a_token_file_that_others_may_read_is_a_warning(
    drive: DriveServer, google: GoogleFolder, token_file: Path
) -> None:
    token_file.chmod(0o644)
    assert read_findings(drive, google.folder_id, token_file)["token"][0] == "warning"


def test_skipped_entries_are_counted(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.add(google.folder_id, "link", SHORTCUT)
    status, message = read_findings(drive, google.folder_id, token_file)["files"]
    assert status == "warning"
    assert message.endswith("1 skipped, the first of them link, which is a shortcut: put the file itself there")


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        ({}, "warning", "unknown, because no grant time is stored"),
        ({"granted_at": "nonsense"}, "warning", "unknown, because no grant time is stored"),
        (
            {"granted_at": (NOW - timedelta(days=2)).isoformat()},
            "warning",
            'if the app is in "Testing", it ends on 2026-11-27',
        ),
        ({"granted_at": (NOW - timedelta(days=30)).isoformat()}, "ok", "granted 30 days ago and still valid"),
        ({"ends_at": (NOW + timedelta(days=1.5)).isoformat()}, "warning", "ends on 2026-11-24 00:00 UTC, in 1.5 days"),
    ],
)
def test_a_token_that_may_end_is_a_warning(token: dict[str, str], status: str, message: str) -> None:
    finding = check_lifetime(json.loads(json.dumps(token)), NOW)
    assert finding.status == status
    assert message in finding.message


def test_a_local_folder_needs_no_token(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_bytes(b"1")
    (finding,) = check_local(LocalFolder(tmp_path, min_age_s=0))
    assert (finding.status, finding.message) == ("ok", f"1 file, 0.0 MB in {tmp_path}")
    (finding,) = check_local(LocalFolder(tmp_path / "none"))
    assert finding.status == "failed"
