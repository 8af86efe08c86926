"""Unattended: files are dropped, nothing else is done, and the champion changes; also when it all crashes."""

import signal
from collections.abc import Callable, Iterator

import psutil
import pytest

from cinematch_assets.dagster_support.run_tags import CAUSES
from cinematch_assets.drive.opening import open_folder
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.embedded import embedded_url
from cinematch_assets.warehouse.migrations import migrate
from cinematch_assets.warehouse.warehouse import Warehouse
from cinematch_assets_tests.support.dagster_ui import Dev, dev
from cinematch_assets_tests.support.platforms import drop_history, rows_of
from cinematch_assets_tests.support.servers import short_folder

pytestmark = pytest.mark.waits

SETTLED = """
SELECT c.version, (SELECT min(model_version) FROM recommendations), (SELECT max(model_version) FROM recommendations)
FROM ops.champion c
JOIN ops.model_versions v USING (version)
WHERE v.replaced IS NOT NULL AND NOT EXISTS (SELECT FROM ops.retraining_decisions WHERE state = 'waiting')
"""


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("CINEMATCH_RETRAIN_COOLDOWN_S", "0")
    monkeypatch.setenv("CINEMATCH_RETRAIN_UNSEEN_SHARE", "100")
    with short_folder() as folder:
        home = folder / "home"
        (home / "drive").mkdir(parents=True)
        url = embedded_url(home)
        migrate(url)
        made = Platform(
            settings=Settings.from_env({"CINEMATCH_HOME": str(home)}),
            folder=open_folder(str(home / "drive"), min_age_s=0),
            store=open_store(str(home / "store")),
            warehouse=Warehouse(url),
        )
        drop_history(made)
        yield made


def runs_of(ui: Dev, job: str, status: str) -> bool:
    return any(run["jobName"] == job and run["status"] == status for run in ui.runs())


def crash(ui: Dev) -> None:
    """Power off for everything but the database: no process gets to say goodbye."""
    family = [psutil.Process(ui.process.pid), *psutil.Process(ui.process.pid).children(recursive=True)]
    for process in family:
        if process.is_running():
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=30)


def first_champion(ui: Dev, platform: Platform) -> None:
    ui.wait_for(lambda: rows_of(platform, "SELECT 1 FROM recommendations LIMIT 1"), "a first champion", deadline_s=240)


def settled(ui: Dev, platform: Platform) -> None:
    """The new champion stands with its recommendations; nothing was lost and nothing done twice."""
    ui.wait_for(lambda: any(len(set(row)) == 1 for row in rows_of(platform, SETTLED)), "a new champion", deadline_s=280)
    assert rows_of(platform, "SELECT count(*) FROM ops.champion_changes") == [(2,)]
    assert rows_of(platform, "SELECT state FROM ops.retraining_decisions") == [("retrained",)]
    assert rows_of(platform, "SELECT status FROM ingestion_metadata") == [("completed",)]
    assert rows_of(platform, "SELECT count(*), count(DISTINCT batch_id) FROM ratings WHERE batch_id IS NOT NULL") == [
        (1_100, 1)
    ]
    assert rows_of(platform, "SELECT count(*) FROM ratings_buffer") == [(0,)]


@pytest.mark.timeout(600)
def test_a_drifted_file_is_all_it_takes(platform: Platform) -> None:
    with dev(platform.settings.home) as ui:
        first_champion(ui, platform)
        simulate_next(platform, drift=0.7, rows=1_100)
        settled(ui, platform)
        found = [run["tags"] for run in ui.runs()]
    ((champion,),) = rows_of(platform, "SELECT version FROM ops.champion")
    causes = {tags["cause"] for tags in found}
    assert {"new file", "no model", "retraining is due"} <= causes <= set(CAUSES.values())
    assert all("batch" in tags for tags in found if tags["cause"] == "retraining is due" or "dagster/partition" in tags)
    assert any(tags.get("candidate") == tags.get("champion") == champion for tags in found)


def is_loading(ui: Dev, _: Platform) -> object:
    return runs_of(ui, "ingest_batch", "STARTED")


def is_decided(_: Dev, platform: Platform) -> object:
    return rows_of(platform, "SELECT 1 FROM ops.retraining_decisions WHERE state = 'waiting'")


def is_trained(_: Dev, platform: Platform) -> object:
    return rows_of(platform, "SELECT 1 FROM ops.model_versions WHERE state = 'candidate'")


def is_promoted(_: Dev, platform: Platform) -> object:
    return rows_of(platform, "SELECT 1 FROM ops.model_versions WHERE replaced IS NOT NULL")


@pytest.mark.faults("kills")
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", [is_loading, is_decided, is_trained, is_promoted])
def test_a_crash_at_any_stage_neither_loses_nor_doubles_the_retraining(
    platform: Platform, moment: Callable[[Dev, Platform], object]
) -> None:
    home = platform.settings.home
    with dev(home) as ui:
        first_champion(ui, platform)
        simulate_next(platform, drift=0.7, rows=1_100)
        ui.wait_for(lambda: moment(ui, platform), "the moment to crash at", deadline_s=200)
        crash(ui)
    with dev(home) as again:
        settled(again, platform)
