"""The platform as Dagster opens it for a run."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.defs.resources import PlatformResource
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.audit import list_audit_entries
from cinematch_assets.warehouse.warehouse import Warehouse

_OPENED: list[Platform] = []


@dg.op(required_resource_keys={"platform"})
def look(context: dg.OpExecutionContext) -> None:
    """Keep the platform for the test."""
    _OPENED.append(context.resources.platform)


@dg.job(resource_defs={"platform": PlatformResource()})
def look_at_the_platform() -> None:
    """One step."""
    look()


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, database_url_18: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", database_url_18)
    monkeypatch.setenv("CINEMATCH_MERGE", "delete")
    yield
    _OPENED.clear()


def test_a_run_acts_under_its_number_and_launcher_and_records_changed_settings(
    instance: dg.DagsterInstance, database_url_18: str
) -> None:
    tags = {"dagster/sensor_name": "retraining_sensor"}
    done = look_at_the_platform.execute_in_process(instance=instance, tags=tags)
    look_at_the_platform.execute_in_process(instance=instance, tags=tags)
    actor = _OPENED[0].actor
    assert (actor.run_id, actor.launched_by) == (done.run_id, "sensor retraining_sensor")
    (entry,) = Warehouse(database_url_18).run(list_audit_entries)
    assert (entry.action, entry.reason, entry.by) == ("setting_change", "CINEMATCH_MERGE is delete, was merge", actor)


def test_the_actor_s_name_is_a_setting(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_ACTOR", "the night shift")
    done = look_at_the_platform.execute_in_process(instance=instance)
    assert str(_OPENED[0].actor) == f"the night shift, run {done.run_id[:8]} launched by hand"


def test_a_sensor_s_tick_is_no_run_and_records_nothing(instance: dg.DagsterInstance, database_url_18: str) -> None:
    with dg.build_init_resource_context(instance=instance) as context:
        opened = PlatformResource().create_resource(context)
    assert opened.actor.run_id is None
    assert Warehouse(database_url_18).run(list_audit_entries) == []
