"""The function that initialises the database, run from the built zip as Lambda runs it, against Postgres 15.

The interpreter is the base one, with the unpacked zip and the packages that Lambda's runtime brings, and nothing else.
"""

import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest

from cinematch_assets.warehouse.migrations import list_pending_migrations
from cinematch_assets_tests.support import servers
from cinematch_assets_tests.support.lambdas import bundle, load_function
from cinematch_assets_tests.support.servers import Postgres, free_port, wait_until, with_database

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
INVOKE = """
import json, sys, time
import database
event, seconds = json.load(sys.stdin)
end = time.monotonic() + seconds
class Context:
    def get_remaining_time_in_millis(self):
        return int((end - time.monotonic()) * 1000)
json.dump(database.handler(event, Context()), sys.stdout)
"""
ROLES = ("ml_pipeline", "analyst", "dagster")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip's content, as Lambda lays it out."""
    folder = tmp_path_factory.mktemp("lambda")
    with zipfile.ZipFile(bundle()) as files:
        files.extractall(folder / "task")
    (folder / "runtime").mkdir()
    for package in RUNTIME_PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        place = origin.parent if origin.name == "__init__.py" else origin
        (folder / "runtime" / place.name).symlink_to(place)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of its own, where the roles do not exist yet and need their passwords to sign in."""
    with servers.postgres15() as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            ((hba,),) = connection.execute("SHOW hba_file").fetchall()
            rule = f"host all {','.join(ROLES)} 127.0.0.1/32 scram-sha-256\n"
            Path(hba).write_text(rule + Path(hba).read_text())
            connection.execute("SELECT pg_reload_conf()")
        yield postgres


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    """An empty database; Dagster's and the roles go with it."""
    with server.database() as url:
        yield url
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS dagster WITH (FORCE)")
        for role in ROLES:
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


@dataclass
class CloudFormation:
    """The side that waits for an answer at a signed address."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)
    refusals: int = 0
    url: str = ""


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    waiting = CloudFormation()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = 200
            if waiting.refusals:
                waiting.refusals, status = waiting.refusals - 1, 503
            else:
                waiting.content_types.append(self.headers["content-type"])
                waiting.answers.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        waiting.url = f"http://127.0.0.1:{http.server_port}/answer?signature=secret-of-the-address"
        yield waiting
        http.shutdown()
        thread.join()


def store_secrets(owner: str, *, generation: str = "first") -> dict[str, Any]:
    """Put the owner's URL and the roles' passwords into Secrets Manager; return the resource's properties."""
    secrets = boto3.client("secretsmanager")

    def put(text: str) -> str:
        return str(secrets.create_secret(Name=uuid4().hex, SecretString=text)["ARN"])

    return {
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:database",
        "OwnerSecret": put(owner),
        "Roles": {role: put(json.dumps({"password": f"{generation}/{role}'s"})) for role in ROLES},
        "Databases": {"dagster": "dagster"},
        "Bundle": generation,
    }


def event(kind: str, properties: dict[str, Any], cloudformation: CloudFormation) -> dict[str, Any]:
    made = {} if kind == "Create" else {"PhysicalResourceId": "cinematch-database"}
    return made | {
        "RequestType": kind,
        "ResponseURL": cloudformation.url,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/cinematch/1",
        "RequestId": uuid4().hex,
        "ResourceType": "Custom::Database",
        "LogicalResourceId": "Database",
        "ResourceProperties": properties,
    }


def start(task: Path, event: dict[str, Any], aws: str, *, seconds: float = 120.0) -> subprocess.Popen[str]:
    """Invoke the function in an interpreter that sees the zip and Lambda's own packages."""
    environment = {
        "PYTHONPATH": f"{task / 'task'}:{task / 'runtime'}",
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(
        [sys._base_executable, "-c", INVOKE],  # type: ignore[attr-defined]
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd="/",
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps([event, seconds]))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """The function's result and its log."""
    out, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    return json.loads(out), log


def invoke(task: Path, event: dict[str, Any], aws: str, *, seconds: float = 120.0) -> tuple[dict[str, Any], str]:
    return finish(start(task, event, aws, seconds=seconds))


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def as_role(url: str, role: str, password: str) -> dict[str, str]:
    info = psycopg.conninfo.conninfo_to_dict(url)
    return {k: str(v) for k, v in info.items()} | {"user": role, "password": password}


def test_the_zip_is_the_same_bytes_twice(tmp_path: Path) -> None:
    load_function("bundle").build(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == bundle().read_bytes()


def test_the_zip_holds_the_migrations_that_the_command_applies() -> None:
    files = {path.name: path.read_bytes() for path in (ROOT / "sql" / "migrations").iterdir()}
    with zipfile.ZipFile(bundle()) as content:
        folder = "cinematch_assets/_files/sql/migrations/"
        assert {n.removeprefix(folder): content.read(n) for n in content.namelist() if n.startswith(folder)} == files


def test_create_update_delete(task: Path, url: str, aws: str, cloudformation: CloudFormation) -> None:
    properties = store_secrets(url)
    created, log = invoke(task, event("Create", properties, cloudformation), aws)
    assert created["Status"] == "SUCCESS", log
    assert created["PhysicalResourceId"] == "cinematch-database"
    assert cloudformation.answers == [created]
    assert cloudformation.content_types == [""]
    assert list_pending_migrations(url) == ()
    assert "ratings" in tables(url)
    for role in ROLES:
        database = with_database(url, "dagster") if role == "dagster" else url
        with psycopg.connect(**as_role(database, role, f"first/{role}'s")) as connection:
            if role == "dagster":
                connection.execute("CREATE TABLE runs (id INT)")
            elif role == "ml_pipeline":
                connection.execute("DELETE FROM ratings")
                connection.execute("SET LOCAL ROLE analyst")
    for secret in ("first/", "signature"):
        assert secret not in log
        assert secret not in created["Reason"]

    rows = "INSERT INTO movies (movieid, title, genres) VALUES (1, 'Heat', 'Crime')"
    with psycopg.connect(url) as connection:
        connection.execute(rows.encode())
    updated, _ = invoke(
        task, event("Update", store_secrets(url, generation="second"), cloudformation), aws
    )  # passwords that were rotated are set
    assert (updated["Status"], updated["PhysicalResourceId"]) == ("SUCCESS", "cinematch-database")
    assert "no migration" in updated["Reason"]
    psycopg.connect(**as_role(url, "analyst", "second/analyst's")).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**as_role(url, "analyst", "first/analyst's"))

    deleted, _ = invoke(task, event("Delete", properties, cloudformation), aws)
    assert (deleted["Status"], deleted["PhysicalResourceId"]) == ("SUCCESS", "cinematch-database")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT title FROM movies").fetchall() == [("Heat",)]
    psycopg.connect(**as_role(with_database(url, "dagster"), "dagster", "second/dagster's")).close()


def test_a_resource_made_under_another_id_keeps_it(
    task: Path, url: str, aws: str, cloudformation: CloudFormation
) -> None:
    request = event("Delete", {}, cloudformation) | {"PhysicalResourceId": "made-by-a-former-version"}
    answer, _ = invoke(task, request, aws)
    assert answer["PhysicalResourceId"] == "made-by-a-former-version"
    assert tables(url) == set()


def test_twice_at_once(task: Path, url: str, aws: str, cloudformation: CloudFormation) -> None:
    properties = store_secrets(url)
    both = [start(task, event("Create", properties, cloudformation), aws) for _ in range(2)]
    answers = [finish(process)[0] for process in both]
    assert [answer["Status"] for answer in answers] == ["SUCCESS", "SUCCESS"], answers
    assert sorted("no migration" in answer["Reason"] for answer in answers) == [False, True]
    assert list_pending_migrations(url) == ()


def unreachable() -> str:
    return f"postgresql://owner:the-password@127.0.0.1:{free_port()}/cinematch"


def test_unreachable(task: Path, aws: str, cloudformation: CloudFormation) -> None:
    answer, log = invoke(task, event("Create", store_secrets(unreachable()), cloudformation), aws)
    assert answer["Status"] == "FAILED"
    assert "Connection refused" in answer["Reason"]
    assert answer["Reason"].count(". ") == 0
    assert cloudformation.answers == [answer]
    assert "the-password" not in log + json.dumps(answer)


def test_a_refused_update_keeps_the_resource(task: Path, aws: str, cloudformation: CloudFormation) -> None:
    answer, _ = invoke(task, event("Update", store_secrets(unreachable()), cloudformation), aws)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "cinematch-database")


def test_a_delete_succeeds_without_the_database(task: Path, aws: str, cloudformation: CloudFormation) -> None:
    answer, _ = invoke(task, event("Delete", store_secrets(unreachable()), cloudformation), aws)
    assert answer["Status"] == "SUCCESS"


def test_slow(task: Path, url: str, aws: str, cloudformation: CloudFormation) -> None:
    """Another session holds what the migrations need until the function's time is over."""
    with psycopg.connect(url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(hashtextextended('cinematch', 0))")
        holder.execute("CREATE TABLE movies (mine INT)")  # the migration waits for the end of this transaction
        begin = time.monotonic()
        answer, _ = invoke(task, event("Create", store_secrets(url), cloudformation), aws, seconds=21)
        assert time.monotonic() - begin < 21
        assert answer["Status"] == "FAILED"
        assert "not ready within 5 s" in answer["Reason"] or "not ready within 6 s" in answer["Reason"]
        holder.rollback()
    wait_until(lambda: not others(url), "the killed process' session to end")
    assert "ratings" not in tables(url)
    again, _ = invoke(task, event("Create", store_secrets(url), cloudformation), aws)
    assert again["Status"] == "SUCCESS", again


def others(url: str) -> list[tuple[Any, ...]]:
    sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url) as connection:
        return connection.execute(sessions.encode()).fetchall()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says anything."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_never_answers(task: Path, aws: str, cloudformation: CloudFormation) -> None:
    with silent_server() as port:
        owner = f"postgresql://owner:x@127.0.0.1:{port}/cinematch"
        answer, _ = invoke(task, event("Create", store_secrets(owner), cloudformation), aws, seconds=60)
    assert answer["Status"] == "FAILED"
    assert "timeout" in answer["Reason"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"OwnerSecret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none"}, "cannot be read"),
        ({"Roles": {"analyst": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none"}}, "cannot be read"),
        ({"Databases": {"x": "no_such_role"}}, 'role "no_such_role" does not exist'),
    ],
)
def test_a_failure_is_answered_with_its_reason(
    task: Path, url: str, aws: str, cloudformation: CloudFormation, change: dict[str, Any], reason: str
) -> None:
    answer, _ = invoke(task, event("Create", store_secrets(url) | change, cloudformation), aws)
    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]
    assert cloudformation.answers == [answer]


def test_a_bug_is_answered_too(task: Path, aws: str, cloudformation: CloudFormation) -> None:
    answer, log = invoke(task, event("Create", {}, cloudformation), aws)
    assert answer["Status"] == "FAILED"
    assert "log has the traceback" in answer["Reason"]
    assert "KeyError: 'OwnerSecret'" in log


def test_an_answer_that_does_not_get_through_is_repeated(task: Path, aws: str, cloudformation: CloudFormation) -> None:
    cloudformation.refusals = 2
    answer, log = invoke(task, event("Delete", {}, cloudformation), aws)
    assert cloudformation.answers == [answer]
    assert log.count("HTTP Error 503") == 2
    assert "secret-of-the-address" not in log


def test_an_answer_that_never_gets_through_fails_the_function(
    task: Path, aws: str, cloudformation: CloudFormation
) -> None:
    cloudformation.refusals = 100
    process = start(task, event("Delete", {}, cloudformation), aws)
    _, log = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "HTTP Error 503" in log
