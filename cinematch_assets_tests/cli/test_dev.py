"""``cinematch dev`` and ``stop``: one command opens the UI with its daemon, and nothing is left when it ends."""

import signal
import socket
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
DRIFTED = {"rating_mean", "rating_distribution_ks"}
"""Checks that warn: the batch is half a star above the others."""
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


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/graphql?query=mutation%7Ba%7D", {}, 405),
        ("/assets", {"Host": "evil.example"}, 421),
        ("/reports/../dagster/dagster.yaml", {}, 404),
        ("/reports/none.html", {}, 404),
        ("/server_info", {}, 200),
        ("/metrics", {"Host": "evil.example"}, 421),
        ("/metrics", {}, 200),
    ],
)
def test_the_ui_is_behind_the_guard(ui: Dev, path: str, headers: dict[str, str], status: int) -> None:
    connection = HTTPConnection(urlsplit(ui.url).netloc, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("X-Frame-Options")) == (status, "DENY")
    connection.close()


def test_prometheus_reads_warehouse_daemon_and_sensors(ui: Dev) -> None:
    def scrape() -> str:
        with urllib.request.urlopen(f"{ui.url}/metrics", timeout=60) as answer:  # noqa: S310 - 127.0.0.1
            text: str = answer.read().decode()
            return text

    wanted = ("cinematch_up 1.0", "cinematch_dagster_up 1.0", "\ncinematch_daemon_heartbeat_age_seconds ")
    sensors = (
        'cinematch_sensor_tick_age_seconds{sensor="drive_sensor"}',
        'cinematch_sensor_enabled{sensor="drive_sensor"} 1',
    )
    ui.wait_for(lambda: (text := scrape()) and all(each in text for each in (*wanted, *sensors)), "a whole scrape")


def test_the_drift_report_opens_at_its_link(ui: Dev) -> None:
    """Reports are served from the store, in a sandbox that reaches nothing."""
    folder = ui.home / "store" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drift.html").write_text("<p>a report</p>")
    with urllib.request.urlopen(f"{ui.url}/reports/drift.html", timeout=30) as answer:  # noqa: S310 - 127.0.0.1
        assert (answer.read(), answer.headers["Content-Security-Policy"][:7]) == (b"<p>a report</p>", "sandbox")


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


@pytest.mark.timeout(600)
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
    ui.materialize(*MODEL, config={"ops": {"recommender_model": {"config": {"time_budget_s": 2}}}})

    found = [each["tags"] for each in ui.runs()]
    assert [(tags["cause"], tags.get("batch")) for tags in found] == [
        ("by hand", None),
        ("backfill", batch),
        ("by hand", None),
    ]
    assert found[0]["candidate"] == found[0]["champion"]

    materialized = """{ assetNodes { assetKey { path } assetMaterializations(limit: 1) { runId } assetChecksOrError {
        ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } }"""
    nodes = {node["assetKey"]["path"][-1]: node for node in ui.ask(materialized)["assetNodes"]}
    for key in (*UNPARTITIONED, *BATCH, *MODEL):
        assert nodes[key]["assetMaterializations"], key
        checks = nodes[key]["assetChecksOrError"].get("checks", [])
        outcomes = {check["name"]: check["executionForLatestMaterialization"] for check in checks}
        failed = {name for name, outcome in outcomes.items() if outcome != {"status": "SUCCEEDED"}}
        assert failed == (DRIFTED if key == "drift_report" else set()), key
    wait_until_the_buffer_is_fresh(ui)


def wait_until_the_buffer_is_fresh(ui: Dev) -> None:
    """A batch has come: part of the test before, since it is true on the worker alone that ran it."""
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


def test_the_ui_leads_to_the_page_and_the_page_back(ui: Dev, browser: "Chrome") -> None:
    """Both links are clicked."""
    from selenium.webdriver.common.by import By

    ui.materialize("monitoring_report")
    browser.get(f"{ui.url}/assets/monitoring_report?view=overview")
    links = "a[href$='/reports/monitoring_report.html']"
    ui.wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, links), "the link to the page")
    before = set(browser.window_handles)
    browser.execute_script("document.querySelector(arguments[0]).removeAttribute('target')", links)
    browser.find_element(By.CSS_SELECTOR, links).click()
    ui.wait_for(lambda: browser.title.startswith("CineMatch: "), "the page")
    assert set(browser.window_handles) == before
    browser.find_element(By.LINK_TEXT, "Open Dagster").click()
    ui.wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "a[href='/runs']"), "the UI")
    assert browser.current_url.startswith(ui.url)


def test_stop_ends_what_a_killed_dev_left(ui: Dev) -> None:
    ui.end(signal.SIGKILL)
    assert len(processes_of(ui.home)) > 3
    said = run(ui.home, "stop")
    assert "processes of Dagster" in said.stdout, said
    assert processes_of(ui.home) == []
    assert list_users(ui.home) == []
    assert "Nothing runs" in run(ui.home, "stop").stdout


@pytest.mark.faults("services")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_killed_is_started_again() -> None:
    """The three services at once, then the code server's child, then the embedded database: each heals by itself."""
    locations = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"

    def is_loaded() -> bool:
        try:
            (entry,) = running.ask(locations)["workspaceOrError"]["locationEntries"]
        except (OSError, AssertionError, ValueError):
            return False
        return bool(entry["locationOrLoadError"]["__typename"] == "RepositoryLocation")

    with short_folder() as folder, dev(folder / "home") as running:
        family = psutil.Process(running.process.pid)
        services = {child.pid: child for child in family.children() if "-m" in child.cmdline()}
        assert len(services) == 3
        for service in services.values():
            service.kill()
        running.wait_for(lambda: not is_loaded(), "the end of the UI")
        running.wait_for(is_loaded, "the UI after its services were killed", deadline_s=150)
        (code_server,) = (child for child in family.children() if "code-server" in child.cmdline())
        for child in code_server.children(recursive=True):
            child.kill()
        running.wait_for(lambda: not is_loaded(), "the end of the definitions", deadline_s=30)
        running.wait_for(is_loaded, "the definitions after their process was killed", deadline_s=150)
        pid_file = running.home / "postgres" / "postmaster.pid"
        psutil.Process(pid := int(pid_file.read_text().split()[0])).kill()
        running.wait_for(
            lambda: pid_file.exists() and int(pid_file.read_text().split()[0]) != pid, "the database", deadline_s=60
        )
        running.wait_for(is_loaded, "the UI after its database was killed", deadline_s=150)


@pytest.mark.slow
def test_a_read_only_ui_changes_nothing() -> None:
    reload = """mutation { reloadRepositoryLocation(repositoryLocationName: "cinematch_assets") { __typename } }"""
    with short_folder() as folder, dev(folder / "home", "--read-only") as running:
        assert running.ask("{ version }")["version"]
        assert running.ask(reload)["reloadRepositoryLocation"]["__typename"] == "UnauthorizedError"


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
