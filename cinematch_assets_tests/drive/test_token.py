import json
import logging
import threading
import time
import traceback
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from google.auth.transport.requests import Request

from cinematch_assets.drive.folder import DriveError, TokenError, UnreachableError
from cinematch_assets.drive.google_client import GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.login import push_token
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.thread_pool import in_parallel
from cinematch_assets.drive.token import DriveCredentials, TokenFile, TokenSecret, silence_libraries, token_source
from cinematch_assets_tests.drive.conftest import QUICK_RETRIES
from cinematch_assets_tests.support.drive_server import CLIENT_SECRET, DriveServer, Fault


@pytest.fixture
def secret(aws: str, drive: DriveServer) -> str:
    name = f"cinematch/{uuid.uuid4().hex}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(drive.issue_token()))
    return name


def make_folder(source: TokenFile | TokenSecret, drive: DriveServer, **options: Any) -> GoogleFolder:
    root = drive.add_folder(None, "CineMatch")
    return GoogleFolder(
        root, GoogleClient(DriveCredentials(source, **options), endpoint=drive.url, retry_policy=QUICK_RETRIES)
    )


def test_a_file_that_is_there_counts_before_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    assert token_source(path, None).where == str(path)
    assert token_source(path, "name").where == "the AWS secret name"
    path.touch()
    assert token_source(path, "name").where == str(path)
    assert token_source(None, "name").where == "the AWS secret name"
    with pytest.raises(TokenError, match="GOOGLE_TOKEN_FILE or GCP_SECRET_NAME"):
        token_source(None, None)


def test_the_token_of_a_secret_opens_the_folder(drive: DriveServer, secret: str) -> None:
    root = drive.add_folder(None, "CineMatch")
    drive.add_file(root, "movies.csv", b"1")
    folder = open_folder(f"gdrive:{root}", google_endpoint=drive.url, secret_name=secret)
    assert [file.path for file in folder.list_files().files] == ["movies.csv"]


def test_many_listings_of_a_process_use_one_access_token(drive: DriveServer, token_file: Path) -> None:
    root = drive.add_folder(None, "CineMatch")
    for _ in range(5):
        open_folder(f"gdrive:{root}", google_endpoint=drive.url, token_file=token_file).list_files()
    assert drive.token_requests == 1


def test_threads_that_need_a_token_together_share_one(drive: DriveServer, token_file: Path) -> None:
    folder = make_folder(TokenFile(token_file), drive)
    threads = [threading.Thread(target=folder.read_name) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drive.token_requests == 1


def test_a_rotated_secret_is_picked_up_without_a_restart(drive: DriveServer, secret: str) -> None:
    folder = make_folder(TokenSecret(secret), drive, min_refresh_interval_s=0)
    folder.list_files()
    drive.revoke_all()
    with pytest.raises(TokenError, match=rf"the AWS secret {secret} .*run `cinematch drive login` --push"):
        folder.list_files()
    assert push_token(drive.issue_token(), secret) == "new version"
    assert folder.list_files().files == ()


@pytest.mark.faults("drive")
def test_a_token_revoked_while_many_threads_work_is_tried_once(drive: DriveServer, token_file: Path) -> None:
    now = [0.0]
    folder = make_folder(TokenFile(token_file), drive, clock=lambda: now[0])
    for number in range(40):
        drive.add_file(folder.folder_id, f"{number}.json", b"{}")
    files = folder.list_files().files
    now[0] = 3600.0
    drive.revoke_all()
    with pytest.raises(TokenError, match="run `cinematch drive login`"):
        list(in_parallel(lambda file: folder.fetch(file, token_file.with_name(file.id)), files))
    assert drive.token_requests == 2


def test_silenced_loggers_get_their_levels_back_in_either_order() -> None:
    logger = logging.getLogger("botocore")
    logger.setLevel(logging.DEBUG)
    first, second = silence_libraries(), silence_libraries()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logger.level == logging.WARNING
    second.__exit__(None, None, None)
    assert logger.level == logging.DEBUG
    logger.setLevel(logging.NOTSET)


@pytest.mark.faults("drive")
@pytest.mark.parametrize("kept", ["file", "secret"])
def test_a_revoked_token_fails_at_once_in_one_attempt_and_names_the_command(
    drive: DriveServer, token_file: Path, secret: str, kept: str
) -> None:
    folder = make_folder(TokenFile(token_file) if kept == "file" else TokenSecret(secret), drive)
    drive.revoke_all()
    started = time.monotonic()
    with pytest.raises(TokenError, match=r"invalid_grant: Token has been expired or revoked.*`cinematch drive login`"):
        folder.list_files()
    assert time.monotonic() - started < 10
    assert drive.token_requests == 1
    assert drive.served == drive.served[:1]  # the token endpoint's answer, and nothing of Drive


def test_a_token_without_the_scope_is_an_error(drive: DriveServer, token_file: Path) -> None:
    drive.scope = "https://www.googleapis.com/auth/userinfo.email"
    with pytest.raises(TokenError, match="may not read Drive: run `cinematch drive login` and grant it"):
        make_folder(TokenFile(token_file), drive).list_files()


@pytest.mark.faults("drive")
def test_a_token_endpoint_that_is_down_is_not_taken_for_a_revoked_token(drive: DriveServer, token_file: Path) -> None:
    drive.faults = [Fault("connection lost", where="/token", times=99)]
    with pytest.raises(UnreachableError, match="cannot be reached to renew the token"):
        make_folder(TokenFile(token_file), drive).list_files()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is not a Google token"),
        (b"[1]", "is not a Google token"),
        (b"\xff\xfe", "is not a Google token"),
        (b'{"token": "ya29.secret"}', "lacks client_id, client_secret, refresh_token, token_uri"),
    ],
)
def test_a_file_that_is_no_token_is_named_with_the_reason(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "token.json").write_bytes(content)
    with pytest.raises(TokenError, match=complaint) as fault:
        TokenFile(tmp_path / "token.json").read()
    assert "ya29" not in str(fault.value)


def test_a_missing_token_names_the_command_to_run(tmp_path: Path, aws: str) -> None:
    with pytest.raises(TokenError, match=r"no Google token in .*token\.json .* run `cinematch drive login`"):
        TokenFile(tmp_path / "token.json").read()
    with pytest.raises(TokenError, match=r"AWS secret no/such \(GCP_SECRET_NAME\) is not there: .* login` --push"):
        TokenSecret("no/such").read()


def test_a_token_is_not_sent_unencrypted(drive: DriveServer, tmp_path: Path) -> None:
    (tmp_path / "token.json").write_text(json.dumps(drive.issue_token() | {"token_uri": "http://example.org/token"}))
    with pytest.raises(TokenError, match="unencrypted"):
        TokenFile(tmp_path / "token.json").read()


def test_aws_out_of_reach_fails_within_seconds(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"AWS secret a \(GCP_SECRET_NAME\) cannot be reached"):
        TokenSecret("a").read()
    assert time.monotonic() - started < 10


def test_pushing_makes_the_secret_when_it_is_missing(drive: DriveServer, aws: str) -> None:
    name, first, second = f"cinematch/{uuid.uuid4().hex}", drive.issue_token(), drive.issue_token()
    assert push_token(first, name) == "created"
    assert TokenSecret(name).read() == first
    assert push_token(second, name) == "new version"
    assert TokenSecret(name).read() == second


@pytest.mark.faults("secrets")
def test_no_secret_is_ever_written_anywhere(
    drive: DriveServer, aws: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    # Everything at its most talkative, on good ways and bad ones.
    caplog.set_level(logging.DEBUG)
    name, token, tracebacks = f"cinematch/{uuid.uuid4().hex}", drive.issue_token(), []
    push_token(token, name)
    credentials = DriveCredentials(TokenSecret(name))
    folder = make_folder(TokenSecret(name), drive)
    folder.list_files()
    credentials.refresh(Request())
    drive.revoke_all()
    for fail in (make_folder(TokenSecret(name), drive).list_files, lambda: TokenSecret(f"{name}/none").read()):
        try:
            fail()
        except DriveError:
            tracebacks.append(traceback.format_exc())
    written = "\n".join([caplog.text, *capfd.readouterr(), *tracebacks, repr(credentials), repr(folder), str(folder)])
    assert len(tracebacks) == 2
    assert "invalid_grant" in written
    for kept_secret in (token["refresh_token"], CLIENT_SECRET, "ya29."):
        assert kept_secret not in written
