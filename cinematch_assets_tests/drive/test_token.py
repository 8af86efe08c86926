import json
import logging
import threading
import time
import traceback
import uuid
from pathlib import Path

import boto3
import pytest
from google.auth.transport.requests import Request

from cinematch_assets.drive.folder import DriveError, TokenError, UnreachableError
from cinematch_assets.drive.google_client import GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.login import push_token
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.parallel import in_parallel
from cinematch_assets.drive.token import DriveCredentials, TokenFile, TokenSecret, quiet, token_source
from cinematch_assets_tests.drive.conftest import IMPATIENT
from cinematch_assets_tests.support.drive_server import CLIENT_SECRET, DriveServer, Fault


@pytest.fixture
def secret(aws: str, drive: DriveServer) -> str:
    name = f"cinematch/{uuid.uuid4().hex}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(drive.token()))
    return name


def folder_with(source: TokenFile | TokenSecret, drive: DriveServer) -> GoogleFolder:
    root = drive.folder(None, "CineMatch")
    return GoogleFolder(root, GoogleClient(DriveCredentials(source), endpoint=drive.url, retry_policy=IMPATIENT))


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
    root = drive.folder(None, "CineMatch")
    drive.file(root, "movies.csv", b"1")
    folder = open_folder(f"gdrive:{root}", google_endpoint=drive.url, secret_name=secret)
    assert [file.path for file in folder.files()] == ["movies.csv"]


def test_a_process_that_looks_again_and_again_asks_for_one_access_token(drive: DriveServer, token_file: Path) -> None:
    root = drive.folder(None, "CineMatch")
    for _ in range(5):
        open_folder(f"gdrive:{root}", google_endpoint=drive.url, token_file=token_file).look()
    assert drive.token_requests == 1


def test_threads_that_need_a_token_together_share_one(drive: DriveServer, token_file: Path) -> None:
    folder = folder_with(TokenFile(token_file), drive)
    threads = [threading.Thread(target=folder.name) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drive.token_requests == 1


def test_a_rotated_secret_is_picked_up_without_a_restart(
    drive: DriveServer, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinematch_assets.drive.token._FRESH_S", 0)
    folder = folder_with(TokenSecret(secret), drive)
    folder.look()
    drive.revoke_all()
    with pytest.raises(TokenError, match=rf"the AWS secret {secret} .*run `cinematch drive login` --push"):
        folder.look()
    assert push_token(drive.token(), secret) == "new version"
    assert folder.look().files == ()


def test_a_token_revoked_while_many_threads_work_is_tried_once(drive: DriveServer, token_file: Path) -> None:
    folder = folder_with(TokenFile(token_file), drive)
    for number in range(40):
        drive.file(folder.folder_id, f"{number}.json", b"{}")
    files = folder.look().files
    folder.client._session.credentials._asked_at = float("-inf")  # as if that had been an hour ago
    drive.revoke_all()
    with pytest.raises(TokenError, match="run `cinematch drive login`"):
        list(in_parallel(lambda file: folder.fetch(file, token_file.with_name(file.id)), files))
    assert drive.token_requests == 2


def test_quiet_gives_the_levels_back_whoever_ends_first() -> None:
    logger = logging.getLogger("botocore")
    logger.setLevel(logging.DEBUG)
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logger.level == logging.WARNING
    second.__exit__(None, None, None)
    assert logger.level == logging.DEBUG
    logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize("kept", ["file", "secret"])
def test_a_revoked_token_fails_at_once_in_one_attempt_and_names_the_command(
    drive: DriveServer, token_file: Path, secret: str, kept: str
) -> None:
    folder = folder_with(TokenFile(token_file) if kept == "file" else TokenSecret(secret), drive)
    drive.revoke_all()
    started = time.monotonic()
    with pytest.raises(TokenError, match=r"invalid_grant: Token has been expired or revoked.*`cinematch drive login`"):
        folder.look()
    assert time.monotonic() - started < 10
    assert drive.token_requests == 1
    assert drive.served == drive.served[:1]  # the token endpoint's answer, and nothing of Drive


def test_a_token_without_the_scope_says_so(drive: DriveServer, token_file: Path) -> None:
    drive.scope = "https://www.googleapis.com/auth/userinfo.email"
    with pytest.raises(TokenError, match="may not read Drive: run `cinematch drive login` and grant it"):
        folder_with(TokenFile(token_file), drive).look()


def test_a_token_endpoint_that_is_down_is_not_taken_for_a_revoked_token(drive: DriveServer, token_file: Path) -> None:
    drive.faults = [Fault("connection lost", where="/token", times=99)]
    with pytest.raises(UnreachableError, match="cannot be reached to renew the token"):
        folder_with(TokenFile(token_file), drive).look()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is not a Google token"),
        (b"[1]", "is not a Google token"),
        (b"\xff\xfe", "is not a Google token"),
        (b'{"token": "ya29.secret"}', "lacks client_id, client_secret, refresh_token, token_uri"),
    ],
)
def test_a_file_that_is_no_token_says_what_is_wrong(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "token.json").write_bytes(content)
    with pytest.raises(TokenError, match=complaint) as fault:
        TokenFile(tmp_path / "token.json").read()
    assert "ya29" not in str(fault.value)


def test_a_token_that_is_not_there_names_the_command(tmp_path: Path, aws: str) -> None:
    with pytest.raises(TokenError, match=r"no Google token in .*token\.json .* run `cinematch drive login`"):
        TokenFile(tmp_path / "token.json").read()
    with pytest.raises(TokenError, match=r"AWS secret no/such \(GCP_SECRET_NAME\) is not there: .* login` --push"):
        TokenSecret("no/such").read()


def test_a_token_is_not_sent_unencrypted(drive: DriveServer, tmp_path: Path) -> None:
    (tmp_path / "token.json").write_text(json.dumps(drive.token() | {"token_uri": "http://example.org/token"}))
    with pytest.raises(TokenError, match="unencrypted"):
        TokenFile(tmp_path / "token.json").read()


def test_aws_out_of_reach_fails_within_seconds(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"AWS secret a \(GCP_SECRET_NAME\) cannot be reached"):
        TokenSecret("a").read()
    assert time.monotonic() - started < 10


def test_pushing_makes_the_secret_when_it_is_missing(drive: DriveServer, aws: str) -> None:
    name, first, second = f"cinematch/{uuid.uuid4().hex}", drive.token(), drive.token()
    assert push_token(first, name) == "created"
    assert TokenSecret(name).read() == first
    assert push_token(second, name) == "new version"
    assert TokenSecret(name).read() == second


def test_no_secret_is_ever_written_anywhere(
    drive: DriveServer, aws: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    # Everything at its most talkative, on good ways and bad ones.
    caplog.set_level(logging.DEBUG)
    name, token, tracebacks = f"cinematch/{uuid.uuid4().hex}", drive.token(), []
    push_token(token, name)
    credentials = DriveCredentials(TokenSecret(name))
    folder = folder_with(TokenSecret(name), drive)
    folder.look()
    credentials.refresh(Request())
    drive.revoke_all()
    for fail in (folder_with(TokenSecret(name), drive).look, lambda: TokenSecret(f"{name}/none").read()):
        try:
            fail()
        except DriveError:
            tracebacks.append(traceback.format_exc())
    written = "\n".join([caplog.text, *capfd.readouterr(), *tracebacks, repr(credentials), repr(folder), str(folder)])
    assert len(tracebacks) == 2
    assert "invalid_grant" in written
    for kept_secret in (token["refresh_token"], CLIENT_SECRET, "ya29."):
        assert kept_secret not in written
