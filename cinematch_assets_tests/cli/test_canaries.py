"""Canaries in every place for a secret: each command, working and failing, and each asset shows none of them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import psutil
import psycopg
import pytest

from cinematch_assets.cli.main import main
from cinematch_assets_tests.support.commands import LEAVES, SHOWING
from cinematch_assets_tests.support.dagster_ui import dev, run
from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import MOVIES, drop, drop_history, make_platform
from cinematch_assets_tests.support.servers import Postgres, migrated_template, short_folder
from cinematch_assets_tests.support.sinks import web_sink

pytestmark = pytest.mark.faults("secrets")

CANARY = "canary7f3a9"
CALLS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("demo",): ("--data", "nowhere"),
    ("dev",): ("--port", "0"),
    ("stop",): (),
    ("forget",): ("3", "--yes"),
    ("drive", "login"): ("--client-secrets", "client.json", "--no-browser", "--timeout", "1"),
    ("sql",): ("SELECT current_setting('port'), inet_server_addr() FROM nowhere",),
}
"""Commands that ``support.commands`` calls otherwise, or not at all."""
COMMANDS = [
    (*command, *words) for command in LEAVES for words in [CALLS.get(command) or SHOWING.get(command, ((),))[0]]
]
WORKING = (
    ("migrate",), ("status",), ("status", "--json"), ("report", "--out", "page.html"), ("audit",),
    ("forget", "3", "--yes"), ("forget", "--certificate"), ("backup", "copies", "--check"), ("backup", "s3://copies/y"),
    ("restore", "copies", "--check"), ("restore", "s3://copies/y", "--check"), ("simulate",), ("recommend", "1"),
    ("similar", "1"), ("export", "lists"), ("export", "s3://copies/lists"), ("sql", "SELECT 1"), ("models", "list"),
    ("batches", "list"), ("rejects", "list"), ("notify", "list"), ("features", "refit"), ("stop",),
)  # fmt: skip
"""What succeeds on a platform with a champion; the other commands are run as well."""


def secrets(home: Path) -> dict[str, str]:
    """The environment with a canary in each place for a secret, and the files that it names."""
    (home / "token.json").write_text(
        json.dumps({"token": CANARY, "refresh_token": CANARY, "client_id": "c", "client_secret": CANARY,
                    "token_uri": "http://127.0.0.1:1/token"})
    )  # fmt: skip
    (home / "client.json").write_text(json.dumps({"installed": {"client_id": "c", "client_secret": CANARY}}))
    return {
        "CINEMATCH_HOME": str(home),
        "GOOGLE_TOKEN_FILE": str(home / "token.json"),
        "GOOGLE_DRIVE_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_SESSION_TOKEN": CANARY,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_MAX_ATTEMPTS": "1",
        "CINEMATCH_NOTIFY": f"json://{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}?token={CANARY}",
        "MLFLOW_TRACKING_URI": f"http://{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}?token={CANARY}",
    }


def written_below(home: Path) -> list[Path]:
    """Files below the home that hold a canary, those aside that were given one."""
    given = {"token.json", "client.json"}
    return [
        path
        for path in home.rglob("*")
        if path.is_file() and path.name not in given and CANARY.encode() in path.read_bytes()
    ]


_NEED_NOTHING = {("stop",)}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "surroundings",
    ["unreachable", *(pytest.param(each, marks=pytest.mark.slow) for each in ("bad-url", "bad-analyst", "bad-store"))],
)
def test_no_command_that_fails_shows_one(
    surroundings: str,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = {
        "unreachable": f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/db",
        "bad-url": f"postgresql://owner:x@{CANARY}@127.0.0.1:1/db",
        "bad-analyst": f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/db",
        "bad-store": "postgresql://127.0.0.1:1/db",
    }[surroundings]
    environment = {**secrets(tmp_path), "CINEMATCH_DATABASE_URL": url, "DAGSTER_POSTGRES_URL": url.replace("/db", "/d")}
    if surroundings == "bad-store":
        environment["CINEMATCH_STORE"] = f"s3://AKIA:{CANARY}@bucket/prefix"
        del environment["DAGSTER_POSTGRES_URL"]
    else:
        environment["CINEMATCH_DRIVE"] = "gdrive:folder"
    if surroundings == "bad-analyst":
        environment["CINEMATCH_ANALYST_URL"] = f"postgresql://{CANARY}:{CANARY}/x@127.0.0.1:1/db"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cinematch", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    if words not in _NEED_NOTHING:
        assert ended.value.code not in {None, 0}, shown.out
    assert CANARY not in shown.out + shown.err
    assert "Traceback" not in shown.err
    assert written_below(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_no_argument_that_holds_one_is_repeated(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A URL with a password in the place of any argument or option, on a database that does not answer."""
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    for variable in ("CINEMATCH_DATABASE_URL", "DAGSTER_POSTGRES_URL"):
        monkeypatch.setenv(variable, f"postgresql://127.0.0.1:1/{variable.lower()}")
    monkeypatch.chdir(tmp_path)
    for text in (f"postgresql://u:{CANARY}@127.0.0.1:1/db", f"s3://AK:{CANARY}@bucket/prefix"):
        for parameter in LEAVES[command].params:
            if getattr(parameter, "is_flag", False):
                continue
            words = [*parameter.opts[:1], text] if parameter.param_type_name == "option" else [text]
            for more in ([], [text]):
                monkeypatch.setattr(sys, "argv", ["cinematch", *command, *words, *more])
                with pytest.raises(SystemExit):
                    main()
                shown = capsys.readouterr()
                assert CANARY not in shown.out + shown.err, sys.argv
    assert written_below(tmp_path) == []


def test_no_command_that_works_shows_one_and_no_run_writes_one_down(
    tmp_path: Path, database_url_18: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # The embedded server knows its users by the socket, and ignores the password.
    url = database_url_18.replace("postgres:@", f"postgres:{CANARY}@")
    assert CANARY in url
    for name, value in secrets(tmp_path).items():
        monkeypatch.setenv(name, value)
    platform = make_platform(tmp_path / "home", url)
    broken = make_platform(tmp_path / "broken", f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/db")
    drop_history(platform, users=30, movies=30)
    drop_history(broken, users=30, movies=30)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:  # its event log is below tmp_path
        assert run_job("load_catalog", platform, instance).success
        assert not run_job("load_catalog", broken, instance).success
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    for words in (("status",), ("status", "--json"), ("sql", "SELECT 1"), ("rejects", "list"), ("models", "list")):
        monkeypatch.setattr(sys, "argv", ["cinematch", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in {None, 0}
    shown = capfd.readouterr()
    assert CANARY not in shown.out + shown.err
    assert any(path.suffix == ".db" for path in (tmp_path / "dagster").rglob("*"))
    assert written_below(tmp_path) == []


_RUNS = """{ runsOrError { ... on Runs { results {
    runId jobName status mode pipelineName runConfigYaml tags { key value } assets { key { path } }
    stats { ... on RunStatsSnapshot { stepsFailed } } } } } }"""
_EVENTS = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
    __typename
    ... on MessageEvent { message stepKey eventType }
    ... on ErrorEvent { error { message stack className cause { message stack } errorChain { error { message } } } }
    ... on MaterializationEvent { label description metadataEntries { label description
        ... on TextMetadataEntry { text } ... on UrlMetadataEntry { url } ... on PathMetadataEntry { path }
        ... on JsonMetadataEntry { jsonString } ... on MarkdownMetadataEntry { mdStr } } }
    ... on LogsCapturedEvent { fileKey externalUrl } } } } }"""
_CAPTURED = """query($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"""
_INSTANCE = """{ version instance { id info runLauncher { name }
    daemonHealth { allDaemonStatuses { daemonType lastHeartbeatErrors { message stack } } } }
    workspaceOrError { ... on Workspace { locationEntries { name displayMetadata { key value }
        locationOrLoadError { ... on RepositoryLocation { name environmentPath
            repositories { name allTopLevelResourceDetails { name configuredValues { key value type } }
            sensors { name sensorState { ticks(limit: 20) { status skipReason error { message stack } } } }
        } } } } } } }"""
_ASSETS = """{ assetsOrError { ... on AssetConnection { nodes { key { path } definition { description
    metadataEntries { label description } opVersion }
    assetMaterializations(limit: 5) { metadataEntries { label
        ... on TextMetadataEntry { text } ... on PathMetadataEntry { path } ... on UrlMetadataEntry { url }
        ... on JsonMetadataEntry { jsonString } ... on MarkdownMetadataEntry { mdStr } } } } } } }"""
_JOBS = {"load_catalog", "ingest_batch", "retrain"}


def _process_list(home: Path) -> str:
    """The command lines of all processes that run for a home, as every user of the machine can read them."""
    lines = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            if str(home) in " ".join(process.environ().values()):
                lines.append(" ".join(process.info["cmdline"] or ()))
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
    return "\n".join(lines)


def _stored_texts(url: str) -> Iterator[tuple[str, int]]:
    """Each table of a database, with its number of rows that hold a canary."""
    with psycopg.connect(url) as connection:
        query = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace >= 2200"
        for (table,) in connection.execute(query).fetchall():
            count = f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s"
            ((found,),) = connection.execute(count.encode(), [f"%{CANARY}%"]).fetchall()
            yield table, found


def _stored_objects(bucket: str) -> dict[str, bytes]:
    """Each object of a bucket, by its key."""
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(2_400)
def test_no_service_run_sensor_query_or_process_shows_one(
    postgres18: Postgres, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cinematch dev` with each secret set and a store on S3, every asset and job run; then every command."""
    with (
        short_folder() as folder,
        web_sink() as sink,
        postgres18.database(migrated_template(postgres18)) as warehouse,
        postgres18.database() as dagster,
    ):
        home = folder / "home"
        secret = {url: url.replace("postgres:@", f"postgres:{CANARY}@") for url in (warehouse, dagster)}
        assert all(CANARY in url for url in secret.values())
        platform = make_platform(home, warehouse)
        environment = secrets(home) | {
            "AWS_ENDPOINT_URL": aws,
            "CINEMATCH_DATABASE_URL": secret[warehouse],
            "DAGSTER_POSTGRES_URL": secret[dagster],
            "CINEMATCH_STORE": "s3://bucket/prefix",
            "CINEMATCH_BACKUP": "s3://copies/x",
        }
        hook = f"json://{CANARY}:{CANARY}@127.0.0.1:{sink.port}/{CANARY}"
        environment["CINEMATCH_NOTIFY"] = f"{hook} mailto://u:{CANARY}@127.0.0.1:1 {environment['CINEMATCH_NOTIFY']}"
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        for bucket in ("bucket", "copies"):
            where = {"LocationConstraint": "eu-central-1"}
            boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=where)  # type: ignore[arg-type]
        history = drop_history(platform)
        week = history.sample(1_500, random_state=1).assign(timestamp=2_000_000_000)
        drop(platform, "batches/batch_w1.csv", week)
        drop(platform, "batches/batch_w2.csv", MOVIES + "1,a,b\n")
        with dev(home) as ui:

            def ended() -> list[dict[str, Any]] | None:
                assert CANARY not in _process_list(home)
                runs = ui.runs()
                good = {run["jobName"] for run in runs if run["status"] == "SUCCESS"}
                bad = [run for run in runs if run["status"] == "FAILURE"]
                return runs if good >= _JOBS and bad and sink.requests else None

            ui.wait_for(ended, "a success of each job, a failure and a notification", deadline_s=900)
            assert len(_process_list(home).splitlines()) >= 3
            for job in ("maintain", "back_up"):
                ui.launch(job)
            runs = ui.runs()
            answers = [ui.ask(query) for query in (_RUNS, _INSTANCE, _ASSETS)]
            never = [
                node["key"]["path"]
                for node in answers[2]["assetsOrError"]["nodes"]
                if node["definition"] and not node["assetMaterializations"]
            ]
            assert never == [], "every asset is materialized"
            answers += [ui.ask(_EVENTS, id=run["runId"]) for run in runs]
            keys = [
                [run["runId"], "compute_logs", event["fileKey"]]
                for run, answer in zip(runs, answers[3:], strict=True)
                for event in answer["logsForRun"]["events"]
                if event.get("fileKey")
            ]
            answers += [ui.ask(_CAPTURED, key=key) for key in keys]
            assert keys
            told = json.dumps(answers)
            assert "header" in told, "the failure is told"
            said = ui.end()
        assert CANARY not in told + said
        (home / "drive" / "batches" / "batch_w2.csv").unlink()  # simulate reads what the folder holds
        assert "header" in sink.text
        assert CANARY not in json.dumps([body for _, body in sink.requests])
        for words in (*WORKING, *(each for each in COMMANDS if each[0] not in {"dev", "demo"})):
            done = run(home, *words)
            assert CANARY not in done.stdout + done.stderr, words
            assert "Traceback" not in done.stderr
            assert done.returncode == 0 or words not in WORKING, (words, done.stderr)
        assert written_below(folder) == []
        for bucket in ("bucket", "copies"):
            assert [key for key, content in _stored_objects(bucket).items() if CANARY.encode() in content] == []
            assert _stored_objects(bucket)
        for url in (warehouse, dagster):
            assert {table: rows for table, rows in _stored_texts(url) if rows} == {}
