import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cinematch_assets.samples.ml_latest_small import SHA256, fetch_ml_latest_small
from cinematch_assets.samples.sample import SampleError, sha256_of
from cinematch_assets_tests.support.real_data import find_data

FILES = {
    "movies.csv": b"movieId,title,genres\n1,Heat (1995),Crime\n",
    "ratings.csv": b"userId,movieId,rating,timestamp\n",
}
PINS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def make_zip(files: dict[str, bytes] = FILES, folder: str = "ml-latest-small") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{folder}/{name}", content)
        archive.writestr("../outside.txt", b"never unpacked")
    return buffer.getvalue()


@contextmanager
def serving(content: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/ml-latest-small.zip"
        finally:
            server.shutdown()
            thread.join()


def test_the_zip_is_fetched_once_and_only_the_known_files_are_taken(tmp_path: Path) -> None:
    with serving(make_zip()) as url:
        sample = fetch_ml_latest_small(tmp_path / "cache", url=url, sha256=PINS)
    assert fetch_ml_latest_small(tmp_path / "cache", url=url, sha256=PINS) == sample
    found = {path.name: path.read_bytes() for path in sample.folder.iterdir()}
    assert found == FILES | {"LICENCE.txt": f"{sample.licence}\n".encode()}
    assert not list(tmp_path.rglob("outside.txt"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (make_zip(FILES | {"ratings.csv": b"changed"}), r"the sha256 of ratings\.csv is [0-9a-f]{64}, not"),
        (b"<html>not today</html>", "File is not a zip file"),
        (make_zip(folder="ml-25m"), "There is no item named 'ml-latest-small/movies.csv'"),
    ],
)
def test_anything_else_than_the_known_set_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with serving(content) as url, pytest.raises(SampleError, match=reason):
        fetch_ml_latest_small(tmp_path / "cache", url=url, sha256=PINS)
    assert not (tmp_path / "cache").exists()


def test_a_response_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with serving(make_zip()) as url, pytest.raises(SampleError, match="larger than 100 bytes"):
        fetch_ml_latest_small(tmp_path, url=url, sha256=PINS, max_bytes=100)


def test_a_missing_file_and_a_missing_server_are_reported(tmp_path: Path) -> None:
    with serving(b"gone", status=404) as url, pytest.raises(SampleError, match=r"from http://127.* \(HTTPError\)"):
        fetch_ml_latest_small(tmp_path, url=url, sha256=PINS)
    with pytest.raises(SampleError, match=r"\(ConnectionError\); check the network, or unpack the zip"):
        fetch_ml_latest_small(tmp_path, url=url, sha256=PINS)


def test_the_pins_are_those_of_the_real_set() -> None:
    folder = find_data("ml-latest-small")
    assert {name: sha256_of(folder / name) for name in SHA256} == SHA256
