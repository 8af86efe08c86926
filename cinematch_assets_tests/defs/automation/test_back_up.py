"""The weekly backup: it is made where the setting says and tried at once; without the setting nothing starts."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets_tests.support.definitions import repository, run_job
from cinematch_assets_tests.support.platforms import make_platform
from cinematch_assets_tests.support.servers import short_folder


@pytest.mark.faults("backup")
def test_a_backup_is_made_and_tried(database_url_18: str, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with short_folder() as home:
        platform = make_platform(home / "h", database_url_18, CINEMATCH_BACKUP=str(tmp_path / "backups"))
        result = run_job("back_up", platform, instance)
    failures = [event.event_specific_data for event in result.all_events if event.is_failure]
    assert result.success, failures
    (output,) = (event for event in result.all_events if event.is_successful_output)
    metadata = output.step_output_data.metadata
    assert metadata["tables"].value > 20
    assert (tmp_path / "backups" / "backups" / str(metadata["name"].value) / "manifest.json").is_file()


@pytest.mark.parametrize("place", ["", "somewhere"])
def test_the_schedule_starts_a_run_where_a_place_is_named(
    database_url_18: str, tmp_path: Path, instance: dg.DagsterInstance, place: str
) -> None:
    platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_BACKUP=place)
    context = dg.build_schedule_context(instance, resources={"platform": platform}, repository_def=repository())
    evaluated = repository().get_schedule_def("weekly_backup").evaluate_tick(context)
    assert len(evaluated.run_requests or []) == bool(place)
    assert evaluated.skip_message == (None if place else "CINEMATCH_BACKUP names no place")
