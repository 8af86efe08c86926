import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cinematch_assets.drive.google_client import GoogleClient, RetryPolicy
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.token import DriveCredentials, TokenFile
from cinematch_assets_tests.support.drive_server import DriveServer

QUICK_RETRIES = RetryPolicy(
    max_attempts=4, first_wait_s=0.01, timeout_s=2, speed_window_s=0.3, min_bytes_per_s=1000, progress_bytes=1 << 20
)


@pytest.fixture
def drive() -> Iterator[DriveServer]:
    with DriveServer().running() as server:
        yield server


@pytest.fixture
def token_file(drive: DriveServer, tmp_path: Path) -> Path:
    path = tmp_path / "token.json"
    path.write_text(json.dumps(drive.issue_token()))
    path.chmod(0o600)
    return path


@pytest.fixture
def google(drive: DriveServer, token_file: Path) -> Iterator[GoogleFolder]:
    root = drive.add_folder(None, "CineMatch")
    client = GoogleClient(DriveCredentials(TokenFile(token_file)), endpoint=drive.url, retry_policy=QUICK_RETRIES)
    yield GoogleFolder(root, client)
    client.close()
