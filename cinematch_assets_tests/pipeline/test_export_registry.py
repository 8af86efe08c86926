"""MLflow holds what the registry holds: whatever is down, killed, sent twice or older than the setting.

The server is a real one, from an environment of its own; without one only what happens while it is down is tested.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cinematch_assets.pipeline.attention import attention
from cinematch_assets.pipeline.export_registry import (
    NOT_WANTED,
    Export,
    export_registry,
    keys_in_use,
    read_registry,
)
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.send_notifications import send_notifications
from cinematch_assets.warehouse.approval import await_approval, reject_awaiting
from cinematch_assets.warehouse.champion import promote, reject, set_champion
from cinematch_assets.warehouse.model_registry import Artifact, GateResult, register_candidate
from cinematch_assets.warehouse.notification_messages import list_channel_states
from cinematch_assets.warehouse.notifications import delete_old_notifications, record_notification
from cinematch_assets_tests.support.connection_log import read_connections, record_into
from cinematch_assets_tests.support.mlflow_servers import (
    MlflowTestServer,
    NoMlflowError,
    mlflow_server,
    read_held,
)
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.servers import free_port
from cinematch_assets_tests.support.sinks import web_sink

CAUGHT_UP_WITHIN_S = 600
EVIDENCE = {
    "promoted": True,
    "candidate_rmse": 0.87,
    "baselines": {"popularity": 0.95},
    "policy": {"allowed_loss": 0.02, "resamples": 1_000},
    "test": {"rows": 100, "users": 7, "difference": -0.01, "low": -0.02, "high": 0.01, "slices": {}},
    "new": {"rows": 50, "users": 6, "difference": -0.05, "low": -0.08, "high": -0.01, "slices": {}},
    "total": None,
    "test_split": "ab" * 8,
}
METRICS = {"rmse": 0.87, "mae": 0.67, "catalogue_ndcg_at_10": None, "baselines": {"popularity": {"rmse": 0.95}}}


def decide(platform: Platform, run: str, state: str, *, over: str | None = None, reason: str = "no worse") -> str:
    """Register a version of a model and decide on it."""
    sha = (run * 8)[:64]
    artifact = Artifact(f"models/{sha}.model", sha, 1_234, 7, {"release": "0.1.0", "blas": [{"kernel": "x"}]})
    loads = {"rows": {"ratings": 90, "batches/week_01": 10}}
    version = platform.warehouse.run(
        register_candidate, run, artifact, method="three signals", config={"factors": {"n": 32}}, seed=42,
        data_size=100, batches=[], trained_from=loads,
    )  # fmt: skip
    result = GateResult(0.87, 0.67, 0.1, "", METRICS, {**EVIDENCE, "reason": reason})
    if state == "rejected":
        platform.warehouse.run(reject, version, result)
    elif state == "promoted":
        platform.warehouse.run(promote, version, artifact, result, over=over, data_size=120, merge="merge")
    elif state == "awaiting_approval":
        platform.warehouse.run(await_approval, version, artifact, result, over=over, data_size=120, days=7)
    return version


def roll_back_to(platform: Platform, version: str) -> None:
    lists = pd.DataFrame({"userId": [1], "rank": [1], "movieId": [10], "score": [0.5]})
    platform.warehouse.run(set_champion, version, lists, "Ms Doe complained")


@pytest.fixture
def down(tmp_path: Path, database_url_18: str) -> Platform:
    uri = f"http://reader:s3cr3t@127.0.0.1:{free_port()}/prefix"
    return make_platform(tmp_path / "home", database_url_18, MLFLOW_TRACKING_URI=uri)


def test_without_a_server_nothing_is_recorded_for_one(platform: Platform) -> None:
    decide(platform, "aaaaaaaa", "promoted")
    assert export_registry(platform) == Export(fault=NOT_WANTED)
    assert keys_in_use(platform) == []
    with platform.warehouse.connect() as connection:
        assert connection.execute("SELECT count(*) FROM ops.notification_channels").fetchone() == (0,)


def test_a_server_that_is_down_costs_a_sentence_and_waits_its_gap(down: Platform) -> None:
    version = decide(down, "aaaaaaaa", "promoted")
    done = export_registry(down)
    assert done.fault.endswith("no server listens there")
    assert "s3cr3t" not in done.fault
    assert export_registry(down) == Export()  # the gap
    decide(down, "bbbbbbbb", "rejected", over=version)  # as a training ends; nothing of it knows MLflow
    (row,) = [row for row in attention(down) if row.what == "MLflow"]
    assert row.needs_a_person
    assert "no server listens there" in row.why
    assert "cinematch models mlflow" in row.next_step
    assert "s3cr3t" not in str(row)
    (state,) = down.warehouse.run(list_channel_states, keys_in_use(down))
    assert (state.label, state.waiting, state.attempts) == ("MLflow", 2, 1)
    assert export_registry(down, is_asked=True).fault  # by a person: the gap is not waited for


def test_people_are_told_while_mlflow_is_down_and_mlflow_is_not_told_what_is_for_people(
    tmp_path: Path, database_url_18: str
) -> None:
    with web_sink() as sink:
        uri = f"http://127.0.0.1:{free_port()}"
        platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_NOTIFY=sink.url, MLFLOW_TRACKING_URI=uri)
        assert export_registry(platform).fault
        decide(platform, "aaaaaaaa", "promoted")
        platform.warehouse.run(record_notification, "file refused", "ratings.csv was refused", "why")
        assert send_notifications(platform).sent == {"JSON (URL 1)": 2}
        (state,) = platform.warehouse.run(list_channel_states, keys_in_use(platform))
        assert state.waiting == 1


def test_what_mlflow_missed_stays_due_when_the_notifications_of_it_are_deleted(down: Platform) -> None:
    assert export_registry(down).fault
    with down.warehouse.connect() as connection:
        connection.execute("UPDATE ops.notifications SET recorded_at = now() - interval '40 days'")
    down.warehouse.run(delete_old_notifications, 30)
    with down.warehouse.connect() as connection:
        connection.execute("UPDATE ops.notification_messages SET retry_at = now()")
    assert export_registry(down).fault.endswith("no server listens there")


def test_an_address_that_leads_to_no_server_is_told_and_stops_nothing(tmp_path: Path, database_url_18: str) -> None:
    platform = make_platform(tmp_path / "home", database_url_18, MLFLOW_TRACKING_URI="databricks://s3cr3t")
    assert keys_in_use(platform) == []
    (row,) = [row for row in attention(platform) if row.what == "MLflow"]
    assert "MLFLOW_TRACKING_URI is not http://host or https://host" in row.why
    assert "s3cr3t" not in row.why


def test_a_version_is_its_parameters_metrics_by_split_evidence_and_hash(platform: Platform) -> None:
    version = decide(platform, "aaaaaaaa", "promoted")
    registry = read_registry(platform)
    assert registry.champion == version
    (shown,) = registry.versions
    assert shown.params == {
        "method": "three signals", "seed": "42", "config.factors.n": "32", "gate.allowed_loss": "0.02",
        "gate.resamples": "1000",
    }  # fmt: skip
    assert shown.metrics["train/ratings"] == 120
    assert shown.metrics["test/rmse"] == 0.87
    assert shown.metrics["test/baselines/popularity/rmse"] == 0.95
    assert shown.metrics["gate/test/difference"] == -0.01
    assert shown.metrics["gate/holdout/high"] == -0.01
    assert shown.tags["cinematch.artifact_sha256"] == "a" * 64
    assert shown.tags["cinematch.state"] == "promoted"
    assert shown.tags["cinematch.trained_on"] == "ratings 90, batches/week_01 10"
    assert shown.description == "no worse"
    assert shown.decided_at is not None
    assert abs(shown.decided_at / 1_000 - time.time()) < 600


def test_no_words_of_a_person_go_over(platform: Platform) -> None:
    """Reasons given to reject, roll back and promote may name people; the gate's cannot."""
    first = decide(platform, "aaaaaaaa", "promoted", reason="first model")
    second = decide(platform, "bbbbbbbb", "promoted", over=first)
    roll_back_to(platform, first)
    waiting = decide(platform, "cccccccc", "awaiting_approval", over=first, reason="no worse: 7 users")
    platform.warehouse.run(reject_awaiting, waiting, "rejected by hand: Ms Doe complained", platform.actor)
    registry = read_registry(platform)
    assert registry.champion == first
    assert [each.version for each in registry.versions] == [first, second, waiting]
    assert registry.versions[2].tags["cinematch.state"] == "rejected"
    assert registry.versions[2].description == "no worse: 7 users"
    text = registry.to_json()
    assert "Doe" not in text
    assert platform.actor.name not in text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowTestServer]:
    try:
        with mlflow_server(tmp_path_factory.mktemp("mlflow")) as started:
            yield started
    except NoMlflowError as why:
        pytest.skip(str(why))


@pytest.fixture
def connected(
    tmp_path: Path, database_url_18: str, server: MlflowTestServer, monkeypatch: pytest.MonkeyPatch
) -> Platform:
    """A platform whose experiment has a name of its own; a slow machine is waited for."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    name = f"test-{tmp_path.name}-{time.time_ns()}"[-90:]
    return make_platform(tmp_path / "home", database_url_18, MLFLOW_TRACKING_URI=server.url, CINEMATCH_MLFLOW_NAME=name)


def export(platform: Platform, **how: Any) -> Export:
    return export_registry(platform, first_gap_s=0, limit_s=CAUGHT_UP_WITHIN_S, **how)


def held(platform: Platform) -> dict[str, Any]:
    return read_held(str(platform.settings.mlflow_tracking_uri), platform.settings.mlflow_name)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_the_whole_history_goes_over_at_first_contact_and_the_alias_follows_promotion_and_rollback(
    connected: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in record_into(tmp_path).items():
        monkeypatch.setenv(name, value)
    first = decide(connected, "aaaaaaaa", "promoted")
    rejected = decide(connected, "bbbbbbbb", "rejected", over=first, reason="rejected: worse")
    with connected.warehouse.connect() as connection:  # from before MLFLOW_TRACKING_URI was set, and told long ago
        connection.execute("DELETE FROM ops.notifications")
    done = export(connected)
    assert done.written is not None, done.fault
    assert done.written.versions == [first, rejected]
    there = held(connected)
    assert there["versions"] == [first, rejected]
    assert there["champion"] == first
    run = there["run"][rejected]
    assert run["status"] == "FINISHED"
    assert run["tags"]["cinematch.state"] == "rejected"
    assert run["tags"]["mlflow.note.content"] == "rejected: worse"
    assert run["metrics"]["gate/holdout/difference"] == -0.05
    assert run["params"]["config.factors.n"] == "32"
    assert there["model_versions"][first]["description"] == "no worse"
    assert {tag["key"]: tag["value"] for tag in there["model_versions"][first]["tags"]} == {
        "version": first, "state": "promoted", "artifact_sha256": "a" * 64, "is_erased": "false"
    }  # fmt: skip
    assert connected.actor.name not in json.dumps(there)
    assert export(connected) == Export()

    second = decide(connected, "cccccccc", "promoted", over=first)
    assert str(export(connected)) == f"MLflow: 1 version written, champion is {second}"
    roll_back_to(connected, first)
    assert str(export(connected)) == f"MLflow: 0 versions written, champion is {first}"
    there = held(connected)
    assert there["versions"] == [first, rejected, second]
    assert there["champion"] == first
    connections = read_connections(tmp_path)
    assert any("mlflow_writer" in line for line in connections.started)
    assert connections.hosts
    assert connections.outside == []


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_server_that_was_down_catches_up_in_order_and_once(connected: Platform, server: MlflowTestServer) -> None:
    first = decide(connected, "aaaaaaaa", "promoted")
    assert export(connected).written
    server.stop()
    try:
        second = decide(connected, "bbbbbbbb", "promoted", over=first)
        assert export(connected).fault.endswith("no server listens there")
        rejected = decide(connected, "cccccccc", "rejected", over=second)
        third = decide(connected, "dddddddd", "promoted", over=second)
        assert export(connected).fault.endswith("no server listens there")
        assert any(row.what == "MLflow" for row in attention(connected))
    finally:
        server.start()
    rounds = [export(connected) for _ in range(3)]  # what was due when it failed, what came since, and nothing
    assert rounds[0].written is not None, rounds[0].fault
    assert rounds[0].written.versions == [second, rejected, third]
    assert rounds[1].written is not None
    assert rounds[1].written.versions == []
    assert rounds[2] == Export()
    there = held(connected)
    assert there["versions"] == [first, second, rejected, third]
    assert there["runs"] == sorted(there["versions"])
    assert there["champion"] == third
    assert not any(row.what == "MLflow" for row in attention(connected))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_candidate_is_completed_when_it_is_decided_on_and_a_message_that_comes_twice_changes_nothing(
    connected: Platform,
) -> None:
    candidate = decide(connected, "aaaaaaaa", "candidate")
    assert export(connected).written
    there = held(connected)
    assert there["run"][candidate]["status"] == "RUNNING"
    assert there["champion"] is None
    waiting = decide(connected, "bbbbbbbb", "awaiting_approval")
    for _ in range(2):
        assert export(connected, is_asked=True).written
    reject_reason = "rejected by hand: Ms Doe complained"
    connected.warehouse.run(reject_awaiting, waiting, reject_reason, connected.actor)
    sent = export(connected)
    assert sent.written is not None
    assert sent.written.versions == [waiting]
    with connected.warehouse.connect() as connection:  # as if it had been killed after MLflow took it
        connection.execute(
            "UPDATE ops.notification_messages SET sent_at = NULL WHERE sent_at = "
            "(SELECT max(sent_at) FROM ops.notification_messages)"
        )
    again = export(connected)
    assert again.written is not None
    assert again.written.versions == []
    there = held(connected)
    assert there["versions"] == [candidate, waiting]
    assert there["run"][waiting]["status"] == "FINISHED"
    assert {"key": "state", "value": "rejected"} in there["model_versions"][waiting]["tags"]
    assert "Doe" not in json.dumps(there)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_what_a_round_has_no_time_for_is_due_at_once(connected: Platform) -> None:
    versions = [decide(connected, f"{number:08x}", "rejected") for number in range(3)]
    for left in (2, 1, 0):
        done = export(connected, budget_s=0)
        assert done.written is not None, done.fault
        assert done.written.left == left
    assert held(connected)["versions"] == versions


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_killed_before_or_after_any_request_each_version_is_there_once(
    connected: Platform, server: MlflowTestServer
) -> None:
    """Also between the creation of a run and its registration, and when only the answer is lost."""
    decide(connected, "aaaaaaaa", "promoted")
    ran = subprocess.run(
        [sys.executable, "-m", "cinematch_assets_tests.support.mlflow_jobs", server.url],
        input=read_registry(connected).to_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3_000:]
    names = json.loads(ran.stdout)
    assert len(names) >= 20
    (version,) = read_registry(connected).versions
    for name in names:
        there = read_held(server.url, name)
        assert (there["runs"], there["versions"], there["champion"]) == (
            [version.version], [version.version], version.version
        ), name  # fmt: skip
        assert there["run"][version.version]["metrics"].keys() == version.metrics.keys(), name
