"""Which addresses lead to an MLflow server, what is said of one that does not answer, and what is never said."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cinematch_assets.messaging import mlflow_server
from cinematch_assets.messaging.channels import ChannelError
from cinematch_assets.messaging.mlflow_server import MlflowServer, TrackingUriError
from cinematch_assets.messaging.mlflow_writer import Registry
from cinematch_assets_tests.support.servers import free_port

EMPTY = Registry("cinematch", (), None)


@contextmanager
def answering(status: int, content: str = "application/json", body: bytes = b"{}") -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def server_at(uri: str) -> MlflowServer:
    server = MlflowServer.of(uri, "cinematch")
    assert server is not None
    return server


@pytest.mark.parametrize("uri", [None, "", "  "])
def test_without_an_address_there_is_no_server(uri: str | None) -> None:
    assert MlflowServer.of(uri, "cinematch") is None


@pytest.mark.parametrize(
    "uri",
    ["databricks", "sqlite:///s3cr3t.db", "file:/s3cr3t", "s3cr3t", "http://", "http:///s3cr3t", "http://h:s3cr3t/",
     "http://[s3cr3t", "ftp://s3cr3t"],
)  # fmt: skip
def test_an_address_of_no_server_is_refused_without_being_repeated(uri: str) -> None:
    with pytest.raises(TrackingUriError, match="MLFLOW_TRACKING_URI is not http://host or https://host") as refused:
        MlflowServer.of(uri, "cinematch")
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("http://mlflow:5000/", "mlflow:5000"),
        (" https://user:s3cr3t@mlflow.example.com/prefix ", "mlflow.example.com"),
        ("http://[::1]:5000", "[::1]:5000"),
    ],
)
def test_people_are_shown_host_and_port_alone(uri: str, place: str) -> None:
    server = server_at(uri)
    assert server.place == place
    assert "s3cr3t" not in repr(server)
    assert "s3cr3t" not in server.key


def test_two_names_on_one_server_are_two_exports() -> None:
    one, other = (MlflowServer.of("http://mlflow", name) for name in ("one", "other"))
    assert one is not None
    assert other is not None
    assert one.key != other.key


def test_a_server_that_knows_no_such_experiment_answers_all_the_same() -> None:
    with answering(404, body=b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}') as port:
        server_at(f"http://127.0.0.1:{port}").ask()


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (401, "text/plain", "refuses the credentials (401): set MLFLOW_TRACKING_USERNAME"),
        (403, "application/json", "refuses the credentials (403)"),
        (200, "text/html", "answers as no MLflow server does (200)"),
        (502, "text/html", "answers as no MLflow server does (502)"),
    ],
)
def test_what_is_no_mlflow_server_is_told_before_anything_is_written(status: int, content: str, said: str) -> None:
    with answering(status, content) as port, pytest.raises(ChannelError) as told:
        server_at(f"http://user:s3cr3t@127.0.0.1:{port}/s3cr3tpath").write(EMPTY)
    assert said in str(told.value)
    assert f"MLflow at 127.0.0.1:{port}" in str(told.value)
    assert "s3cr3t" not in str(told.value)


def test_a_dead_server_is_a_sentence_without_the_password() -> None:
    port = free_port()
    with pytest.raises(ChannelError) as told:
        server_at(f"http://user:s3cr3t@127.0.0.1:{port}/s3cr3tpath").write(EMPTY)
    assert str(told.value) == f"MLflow at 127.0.0.1:{port}: no server listens there"


@pytest.mark.slow
def test_an_error_of_mlflow_is_told_without_the_password() -> None:
    """It answers like MLflow to the first question, and then in no form that MLflow's client reads."""
    with answering(200, body=b'{"s3cr3t": 1}') as port, pytest.raises(ChannelError) as told:
        server_at(f"http://user:s3cr3t@127.0.0.1:{port}/s3cr3tpath").write(EMPTY, limit_s=250)
    assert str(told.value).startswith(f"MLflow at 127.0.0.1:{port}: ")
    assert "s3cr3t" not in str(told.value)


def test_a_writer_that_hangs_is_ended() -> None:
    with answering(404) as port, pytest.raises(ChannelError, match=r"it does not answer in time \(0.01 s\)"):
        server_at(f"http://127.0.0.1:{port}").write(EMPTY, limit_s=0.01)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_server.importlib.util, "find_spec", {}.get)
    with pytest.raises(ChannelError, match=r"pip install 'cinematch-assets\[mlflow\]'"):
        server_at("http://127.0.0.1:1").write(EMPTY)
