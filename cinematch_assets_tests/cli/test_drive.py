import json
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cinematch_assets.cli.drive import app
from cinematch_assets.drive.folder import TokenError
from cinematch_assets.drive.token import TokenSecret
from cinematch_assets_tests.drive.conftest import drive, token_file  # noqa: F401  fixtures
from cinematch_assets_tests.drive.test_login import Browser
from cinematch_assets_tests.support.drive_server import DriveServer


@pytest.fixture
def folder_id(drive: DriveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    folder = drive.add_folder(None, "Shared CineMatch")
    drive.add_file(folder, "movies.csv", b"movieId,title,genres\n")
    for name in ("GCP_SECRET_NAME", "GOOGLE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CINEMATCH_DRIVE", f"gdrive:{folder}")
    monkeypatch.setenv("GOOGLE_DRIVE_ENDPOINT", drive.url)
    return folder


@pytest.mark.usefixtures("folder_id", "aws")
def test_login_stores_pushes_and_says_so_and_check_agrees(
    drive: DriveServer,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("GCP_SECRET_NAME", "cinematch/login")
    browser = Browser()
    monkeypatch.setattr(webbrowser, "get", lambda *_: browser)
    (tmp_path / "client.json").write_text(json.dumps(drive.read_client_secrets()))

    screen = CliRunner().invoke(
        app, ["login", "--client-secrets", str(tmp_path / "client.json"), "--push"], catch_exceptions=False
    )
    browser.thread.join()
    assert screen.exit_code == 0
    token_path = tmp_path / "home" / "token.json"
    assert screen.output.splitlines()[-4:] == [
        "Signed in as owner@example.org.",
        "It can see the folder Shared CineMatch.",
        f"The token is in {token_path}, readable by you alone.",
        "The token is in AWS Secrets Manager: cinematch/login (created).",
    ]
    assert stat.S_IMODE(token_path.stat().st_mode) == 0o600
    assert TokenSecret("cinematch/login").read() == json.loads(token_path.read_text())

    token_path.unlink()  # as in the task, which has the secret alone
    screen = CliRunner().invoke(app, ["check"], catch_exceptions=False)
    assert screen.exit_code == 0
    assert "✓ token     renews; kept in the AWS secret cinematch/login" in screen.output
    assert "✓ folder    Shared CineMatch" in screen.output
    assert "✓ files     1 file" in screen.output


def test_check_fails_with_a_revoked_token(
    drive: DriveServer,  # noqa: F811
    folder_id: str,
    token_file: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_TOKEN_FILE", str(token_file))
    drive.revoke_all()
    screen = CliRunner().invoke(app, ["check", "--json"], catch_exceptions=False)
    assert screen.exit_code == 1
    (finding,) = json.loads(screen.output)
    assert finding["status"] == "failed"
    assert "cinematch drive login" in finding["message"]


@pytest.mark.usefixtures("folder_id")
def test_pushing_to_nowhere_is_refused_before_anybody_signs_in() -> None:
    with pytest.raises(TokenError, match="--push needs GCP_SECRET_NAME"):
        CliRunner().invoke(app, ["login", "--push"], catch_exceptions=False)


def test_a_local_folder_needs_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_DRIVE", str(tmp_path))
    screen = CliRunner().invoke(app, ["check"], catch_exceptions=False)
    assert screen.exit_code == 0
    assert f"✓ files     0 files, 0.0 MB in {tmp_path}" in screen.output


def test_the_command_itself_is_light() -> None:
    heavy = "{'googleapiclient', 'google.auth', 'boto3', 'dagster', 'pandas'}"
    probe = f"import sys, cinematch_assets.cli.drive; print(sorted(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
