"""``cinematch dev`` and ``stop``: one command opens the UI with its daemon, and nothing is left when it ends."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from cinematch_assets.samples.simulate import simulate_into
from cinematch_assets.samples.synthetic import SyntheticSpec, write_synthetic
from cinematch_assets.warehouse.embedded import list_users
from cinematch_assets_tests.support.dagster_ui import Dev, dev, processes_of, run, starting
from cinematch_assets_tests.support.servers import short_folder, wait_until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.waits

PICTURES = Path(__file__).resolve().parents[2] / "build" / "pictures"
UNPARTITIONED = (
    "raw_movies",
    "raw_ratings",
    "raw_netflix_collection",
    "movies",
    "ratings",
    "netflix_movies",
    "movie_genre_features",
)
BATCH = ("raw_ratings_batch", "ratings_buffer", "drift_report")
MODEL = ("recommender_model", "model_metrics", "recommendations")


@pytest.fixture(scope="module")
def ui() -> Iterator[Dev]:
    with short_folder() as folder, dev(folder / "home") as running:
        yield running


def test_it_answers_with_all_assets_a_healthy_daemon_and_running_sensors(ui: Dev) -> None:
    assets = {node["assetKey"]["path"][-1] for node in ui.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]}
    assert assets >= {*UNPARTITIONED, *BATCH, *MODEL}
    health = "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } } }"
    ui.wait_for(
        lambda: all(
            daemon["healthy"]
            for daemon in ui.ask(health)["instance"]["daemonHealth"]["allDaemonStatuses"]
            if daemon["required"]
        ),
        "a healthy daemon",
    )
    sensors = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
        sensors { name sensorState { status } } } } } }"""
    (repository,) = ui.ask(sensors)["repositoriesOrError"]["nodes"]
    states = {sensor["name"]: sensor["sensorState"]["status"] for sensor in repository["sensors"]}
    assert (states["drive_sensor"], states["retraining_sensor"]) == ("RUNNING", "RUNNING")


def test_only_this_machine_reaches_it(ui: Dev) -> None:
    family = [ui.process.pid, *(child.pid for child in psutil.Process(ui.process.pid).children(recursive=True))]
    listening = [c for pid in family for c in psutil.Process(pid).net_connections("inet") if c.status == "LISTEN"]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_a_second_one_on_the_same_home_says_where_the_first_is(ui: Dev) -> None:
    second = run(ui.home, "dev", "--port", "3999")
    assert second.returncode == 1
    assert f"runs on it already, at {ui.url}" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused = run(tmp_path / "home", "dev", "--port", port)
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert "--port" in refused.stderr


def test_all_assets_can_be_materialized_from_it(ui: Dev) -> None:
    drive = ui.home / "drive"
    drive.mkdir(exist_ok=True)
    stop = """mutation($id: String!) { stopSensor(id: $id) { __typename } }"""
    find = """{ repositoriesOrError { ... on RepositoryConnection { nodes { sensors { sensorState { id } } } } } }"""
    (repository,) = ui.ask(find)["repositoriesOrError"]["nodes"]
    for sensor in repository["sensors"]:  # the person in this test is faster than they are
        ui.ask(stop, id=sensor["sensorState"]["id"])
    write_synthetic(drive, SyntheticSpec.of_size(20_000, seed=1))
    batch = simulate_into(drive, drift=0.5).batch_id

    ui.materialize(*UNPARTITIONED)
    add = """mutation($key: String!, $here: RepositorySelector!) { addDynamicPartition(
        partitionKey: $key, partitionsDefName: "batch_id", repositorySelector: $here) { __typename } }"""
    here = {"repositoryLocationName": "cinematch_assets", "repositoryName": "__repository__"}
    assert ui.ask(add, key=batch, here=here)["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    ui.backfill([batch], *BATCH)
    ui.materialize(*MODEL)

    materialized = """{ assetNodes { assetKey { path } assetMaterializations(limit: 1) { runId } assetChecksOrError {
        ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } }"""
    nodes = {node["assetKey"]["path"][-1]: node for node in ui.ask(materialized)["assetNodes"]}
    for key in (*UNPARTITIONED, *BATCH, *MODEL):
        assert nodes[key]["assetMaterializations"], key
        checks = nodes[key]["assetChecksOrError"].get("checks", [])
        outcomes = {check["name"]: check["executionForLatestMaterialization"] for check in checks}
        assert {name: outcome for name, outcome in outcomes.items() if outcome != {"status": "SUCCEEDED"}} == {}, key


def test_the_buffer_counts_as_fresh_once_a_batch_has_come(ui: Dev) -> None:
    asked = """{ assetNodeOrError(assetKey: {path: ["ratings_buffer"]}) {
        ... on AssetNode { freshnessStatusInfo { freshnessStatus } } } }"""

    def is_fresh() -> bool:
        found = ui.ask(asked)["assetNodeOrError"]["freshnessStatusInfo"]
        return bool(found) and found["freshnessStatus"] == "HEALTHY"

    ui.wait_for(is_fresh, "a fresh buffer", deadline_s=150)


@pytest.mark.browser
def test_the_browser_shows_the_graph_with_each_asset(ui: Dev, browser: "Chrome") -> None:
    from selenium.webdriver.common.by import By

    groups = ",".join(f"global@global:{group}" for group in ("drive", "tables", "features", "drift", "model"))
    browser.set_window_size(2700, 2300)
    browser.get(f"{ui.url}/asset-groups?expanded={groups}")

    def nodes_shown() -> bool:
        shown = browser.find_element(By.TAG_NAME, "body").text
        return all(key in shown for key in (*UNPARTITIONED, *BATCH, *MODEL)) and "Loading" not in shown

    ui.wait_for(nodes_shown, "the asset graph")
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert browser.save_screenshot(PICTURES / "asset-graph.png")


def test_stop_ends_what_a_killed_dev_left(ui: Dev) -> None:
    ui.end(signal.SIGKILL)
    assert len(processes_of(ui.home)) > 3
    said = run(ui.home, "stop")
    assert "processes of Dagster, the embedded database" in said.stdout, said
    assert processes_of(ui.home) == []
    assert list_users(ui.home) == []
    assert "Nothing runs" in run(ui.home, "stop").stdout


@pytest.mark.slow
def test_stop_ends_a_dev_that_runs() -> None:
    with short_folder() as folder, dev(folder / "home") as running:
        assert "cinematch dev" in run(running.home, "stop").stdout
        assert running.process.wait(10) == 0
        assert processes_of(running.home) == []


def test_ctrl_c_ends_it_while_it_starts() -> None:
    with short_folder() as folder, starting(folder / "home") as process:
        wait_until((folder / "home" / "logs" / "dagster.log").exists, "the start of Dagster", deadline_s=60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "Stopping ...\nStopped.\n")
        assert processes_of(folder / "home") == []
