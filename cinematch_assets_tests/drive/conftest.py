import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cinematch_assets.drive.google_client import GoogleClient, RetryPolicy
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.token import DriveCredentials, TokenFile
from cinematch_assets_tests.support.drive_server import DriveServer

IMPATIENT = RetryPolicy(attempts=4, first_wait_s=0.01, timeout_s=2, drip_window_s=0.3, slowest_bytes_per_s=1000)


@pytest.fixture
def drive() -> Iterator[DriveServer]:
    with DriveServer().running() as server:
        yield server


@pytest.fixture
def token_file(drive: DriveServer, tmp_path: Path) -> Path:
    path = tmp_path / "token.json"
    path.write_text(json.dumps(drive.token()))
    path.chmod(0o600)
    return path


@pytest.fixture
def google(drive: DriveServer, token_file: Path) -> Iterator[GoogleFolder]:
    root = drive.folder(None, "CineMatch")
    client = GoogleClient(DriveCredentials(TokenFile(token_file)), endpoint=drive.url, retry_policy=IMPATIENT)
    yield GoogleFolder(root, client)
    client.close()
