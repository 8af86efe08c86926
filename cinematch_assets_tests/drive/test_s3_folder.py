"""What only a bucket does; what every folder does is in ``test_folder``."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from cinematch_assets.drive import s3_folder
from cinematch_assets.drive.diagnose import check_local
from cinematch_assets.drive.folder import DriveError, Folder, UnreachableError
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.drive.s3_folder import S3Folder
from cinematch_assets.storage.s3 import open_s3_client, read_version

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT = os.urandom(6 << 20)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def client(aws: str) -> "S3Client":
    client = boto3.client("s3")
    client.create_bucket(Bucket="drop", CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})
    return client


def put_in_parts(client: "S3Client", key: str, content: bytes) -> str:
    """Upload an object in parts of 5 MB; return its ETag."""
    upload = client.create_multipart_upload(Bucket="drop", Key=key)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(content), 5 << 20), start=1):
        body = content[start : start + (5 << 20)]
        part = client.upload_part(Bucket="drop", Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    done = client.complete_multipart_upload(Bucket="drop", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    return done["ETag"]


def test_the_content_decides_and_not_the_etag(client: "S3Client", tmp_path: Path) -> None:
    folder = open_folder("s3://drop/in")
    assert MD5 not in put_in_parts(client, "in/ratings.csv", CONTENT)
    (in_parts,) = folder.list_files().files
    client.put_object(Bucket="drop", Key="in/ratings.csv", Body=CONTENT)
    (at_once,) = folder.list_files().files
    assert in_parts == at_once
    assert (at_once.size, at_once.md5) == (len(CONTENT), MD5)
    folder.fetch(in_parts, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_a_content_is_read_once_a_process_and_again_when_it_changes(
    client: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_object(Bucket="drop", Key="movies.csv", Body=os.urandom(10))
    folder = open_folder("s3://drop")
    read: list[str] = []

    def read_and_note(client: "S3Client", bucket: str, key: str, etag: str) -> Iterator[bytes]:
        read.append(key)
        return read_version(client, bucket, key, etag)

    monkeypatch.setattr(s3_folder, "read_version", read_and_note)
    assert folder.list_files() == folder.list_files()
    assert read == ["movies.csv"]
    client.put_object(Bucket="drop", Key="movies.csv", Body=b"same key, another content")
    (file,) = folder.list_files().files
    assert file.size == 25
    assert read == ["movies.csv"] * 2


def test_an_object_in_a_folder_s_name_is_no_file(client: "S3Client") -> None:
    for key in ("in/", "in/batches/", "in/batches//x.csv", "inside.csv", "in/batches/w1.csv"):
        client.put_object(Bucket="drop", Key=key, Body=b"")
    listing = open_folder("s3://drop/in/").list_files()
    assert [file.path for file in listing.files] == ["batches/w1.csv"]
    assert [entry.path for entry in listing.skipped] == ["batches//x.csv"]


@pytest.mark.slow
def test_a_listing_of_more_than_a_thousand_objects_is_whole(client: "S3Client") -> None:
    for number in range(1_003):
        client.put_object(Bucket="drop", Key=f"in/{number}.txt", Body=b"")
    assert len(open_folder("s3://drop/in").list_files().others) == 1_003


@pytest.mark.parametrize("spec", ["s3://", "s3:///prefix", "gs://bucket/prefix", "https://bucket.example"])
def test_an_address_that_is_no_bucket_is_refused_with_its_setting(spec: str) -> None:
    with pytest.raises(DriveError, match=f"^CINEMATCH_DRIVE={spec} "):
        open_folder(spec)


def test_a_bucket_that_is_not_there_is_named_with_its_setting(aws: str) -> None:
    folder = open_folder("s3://no-such-bucket/in")
    with pytest.raises(DriveError, match=r"NoSuchBucket .* s3://no-such-bucket/in \(CINEMATCH_DRIVE\)"):
        folder.list_files()
    (finding,) = check_local(folder)
    assert finding.status == "failed"


@pytest.mark.faults("s3")
def test_a_server_that_is_not_there_is_unreachable(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match=r"s3://drop/in \(CINEMATCH_DRIVE\) cannot be reached"):
        S3Folder("drop", "in", open_s3_client(max_attempts=1)).list_files()


def test_without_credentials_a_person_is_told_which_variables_to_set(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it knows those of the tests before
    with pytest.raises(DriveError, match="AWS_SECRET_ACCESS_KEY") as refused:
        open_folder("s3://drop/in").list_files()
    assert not isinstance(refused.value, UnreachableError)


class _Refusing(BaseHTTPRequestHandler):
    """Refuses listings of prefixes that begin with ``closed``; other listings are empty."""

    closed: str
    status: int
    code: str

    def do_GET(self) -> None:
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        refused = prefix.startswith(self.closed)
        body = f"<Error><Code>{self.code}</Code></Error>" if refused else "<ListBucketResult></ListBucketResult>"
        self.send_response(self.status if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


@contextmanager
def refusing(monkeypatch: pytest.MonkeyPatch, status: int, code: str, closed: str) -> Iterator[Folder]:
    _Refusing.status, _Refusing.code, _Refusing.closed = status, code, closed
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        yield S3Folder("drop", "", open_s3_client(max_attempts=1))
        server.shutdown()


def test_a_bucket_that_may_not_be_listed_is_refused_and_one_prefix_of_it_skipped(
    aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(monkeypatch, 403, "AccessDenied", "") as folder:
        with pytest.raises(DriveError, match="S3 says AccessDenied") as refused:
            folder.list_files()
        assert not isinstance(refused.value, UnreachableError)
    with refusing(monkeypatch, 403, "AccessDenied", "batches/") as folder:
        assert folder.list_files(recursive=False).skipped == ()
        (entry,) = folder.list_files("batches").skipped
        assert (entry.path, "AccessDenied" in entry.reason, entry.for_now) == ("batches", True, False)


def test_a_service_that_fails_may_answer_later(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing(monkeypatch, 503, "SlowDown", "") as folder, pytest.raises(UnreachableError, match="SlowDown"):
        folder.list_files()


class _Unsteady(BaseHTTPRequestHandler):
    """Serves one object, and breaks off every answer after a megabyte."""

    protocol_version = "HTTP/1.1"
    starts: list[int]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start and self.headers.get("If-Match") != '"one"':
            raise AssertionError("another version might be resumed")
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.starts.append(start)
            self.wfile.write(body[: 1 << 20])
            self.close_connection = True

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def unsteady(monkeypatch: pytest.MonkeyPatch, aws: str) -> Iterator[Folder]:
    _Unsteady.starts = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Unsteady) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        yield open_folder("s3://drop")
        server.shutdown()


@pytest.mark.faults("s3")
def test_a_transfer_that_breaks_off_is_resumed(unsteady: Folder, tmp_path: Path) -> None:
    from cinematch_assets.values import DriveFile

    unsteady.fetch(DriveFile("s3-1", "ratings.csv", "ratings.csv", len(CONTENT), MD5), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert _Unsteady.starts == sorted(set(_Unsteady.starts))
    assert len(_Unsteady.starts) >= 6
