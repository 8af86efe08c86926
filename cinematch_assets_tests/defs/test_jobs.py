"""The jobs from files to published recommendations, in this process: metadata, checks and the run's log."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import dagster as dg
import pytest

from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS
from cinematch_assets.dagster_support.row_counts import TABLES
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.warehouse.inspection import count_rows
from cinematch_assets.warehouse.model_registry import read_model_version
from cinematch_assets_tests.support.definitions import logging_instance, run_job
from cinematch_assets_tests.support.platforms import drop, drop_history, make_platform

TIME_BUDGET = {"ops": {"recommender_model": {"config": {"time_budget_s": 1.0}}}}

Loaded = tuple[Platform, dg.DagsterInstance, dict[str, dg.ExecuteInProcessResult]]


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[Loaded]:
    """One run of each job, in their order, on an instance that logs as ``dagster.yaml`` says."""
    folder = tmp_path_factory.mktemp("jobs")
    with migrated_database() as url, logging_instance(folder / "instance") as instance:
        platform = make_platform(folder / "home", url)
        history = drop_history(platform)
        drop(platform, "batches/batch_w1.csv", history.sample(1_500, random_state=1).assign(timestamp=2_000_000_000))
        instance.add_dynamic_partitions("batch_id", ["batch_w1"])
        results = {
            "load_catalog": run_job("load_catalog", platform, instance),
            "ingest_batch": run_job("ingest_batch", platform, instance, partition_key="batch_w1"),
            "retrain": run_job("retrain", platform, instance, config=TIME_BUDGET),
        }
        yield platform, instance, results


def metadata(runs: Loaded, asset: str) -> dict[str, Any]:
    (record,) = runs[1].fetch_materializations(dg.AssetKey(asset), limit=1).records
    event = record.asset_materialization
    assert event is not None
    return {name: value.value for name, value in event.metadata.items()}


def observed(instance: dg.DagsterInstance, asset: str, partition: str | None = None) -> dict[str, Any]:
    """The metadata of the newest observation."""
    filter_ = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition] if partition else None)
    (record,) = instance.fetch_observations(filter_, limit=1).records
    event = record.asset_observation
    assert event is not None
    return {name: value.value for name, value in event.metadata.items()}


def shown_row_count(instance: dg.DagsterInstance, asset: str) -> object:
    """What Dagster shows: the count of the newest materialization; without one, that of the newest observation."""
    (record,) = instance.fetch_materializations(dg.AssetKey(asset), limit=1).records
    event = record.asset_materialization
    assert event is not None
    value = event.metadata.get("dagster/row_count")
    return observed(instance, asset).get("dagster/row_count") if value is None else value.value


@pytest.mark.parametrize("job", ["load_catalog", "ingest_batch", "retrain"])
def test_each_job_succeeds_with_all_its_checks(runs: Loaded, job: str) -> None:
    result = runs[2][job]
    assert result.success
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed == []


@pytest.mark.parametrize(
    ("asset", "keys"),
    [
        ("raw_movies", {"dagster/uri", "md5", "unchanged"}),
        ("raw_ratings", {"dagster/uri", "md5", "unchanged"}),
        ("raw_ratings_batch", {"dagster/uri", "md5", "unchanged"}),
        ("movies", {"rows_read", "rows_accepted", "rows_rejected", "unchanged", "inserted"}),
        ("ratings", {"rows_read", "unchanged", "inserted", "train_rows", "test_rows"}),
        ("ratings_buffer", {"rows_read", "unchanged", "inserted", "place", "dagster/partition_row_count"}),
        ("movie_genre_features", {"explained_variance", "variance_by_feature", "rows_changed", "dagster/row_count"}),
        ("drift_report", {"retraining_due", "reason", "scores", "ratings", "statistics", "report", "rating_mean"}),
        ("recommender_model", {"version", "method", "trained_on", "held_out", "batches", "dagster/uri"}),
        (
            "model_metrics",
            {"promoted", "reason", "figures", "evidence", "rmse", "loss_since_best", "rmse_over_versions"},
        ),
        ("recommendations", {"version", "users", "different_movies", "samples", "rows"}),
    ],
)
def test_the_page_of_each_asset_has_these_values(runs: Loaded, asset: str, keys: set[str]) -> None:
    assert keys - set(metadata(runs, asset)) == set()


@pytest.mark.parametrize("asset", TABLES)
def test_the_row_count_of_each_page_is_that_of_the_table_after_a_merge(runs: Loaded, asset: str) -> None:
    """Others change a table too: here a promotion has merged a batch into ``ratings``."""
    platform, instance, _ = runs
    assert shown_row_count(instance, asset) == platform.warehouse.run(count_rows, *TABLES[asset])


def test_the_page_of_a_merged_batch_says_where_its_rows_are(runs: Loaded) -> None:
    """Dagster's page of a partition shows what was observed since its materialization, before the values of that."""
    found = observed(runs[1], "ratings_buffer", "batch_w1")
    version = metadata(runs, "recommendations")["version"]
    assert found["change"] == f"merged into ratings on the promotion of {version}"
    assert (found["place"], found["dagster/partition_row_count"]) == ("merged", 0)
    assert observed(runs[1], "ratings")["change"] == f"batch_w1 merged on the promotion of {version}"


@pytest.mark.parametrize(
    ("asset", "names"),
    [
        ("movie_genre_features", ["variance_by_feature"]),
        ("drift_report", ["scores", "ratings", "statistics"]),
        ("model_metrics", ["rmse_over_versions", "ndcg_over_versions", "figures", "by_group"]),
        ("recommendations", ["samples", "concentration"]),
    ],
)
def test_pictures_and_tables_are_shown_in_place(runs: Loaded, asset: str, names: list[str]) -> None:
    found = metadata(runs, asset)
    lengths = {name: len(found[name]) for name in names}
    assert {name: length for name, length in lengths.items() if not 100 < length < INLINE_CHARACTERS} == {}


def test_the_drift_report_is_a_link_to_a_page_that_the_ui_serves(runs: Loaded) -> None:
    link = metadata(runs, "drift_report")["report"]
    assert link.startswith("/reports/batch_w1/")
    assert b"What decides" in runs[0].store.read_bytes(link.removeprefix("/"))
    assert metadata(runs, "monitoring_report")["page"] == "/reports/monitoring_report.html"


def test_the_time_budget_of_a_run_is_the_plan_and_the_record_of_its_version(runs: Loaded) -> None:
    """Four chains would take one and a half seconds."""
    found = metadata(runs, "recommender_model")
    assert found["why"].split("; ")[1].startswith("2 chains of ")
    version = runs[0].warehouse.run(read_model_version, found["version"])
    assert version.config == RecommenderConfig().within(1.0).model_dump(mode="json")


def test_runs_are_found_by_model_version(runs: Loaded) -> None:
    _, instance, results = runs
    version = metadata(runs, "recommendations")["version"]
    for tag in ("candidate", "champion"):
        (found,) = instance.get_runs(dg.RunsFilter(tags={tag: version}))
        assert found.run_id == results["retrain"].run_id


def test_a_file_is_unchanged_in_the_second_run(runs: Loaded) -> None:
    platform, instance, _ = runs
    assert (metadata(runs, "movies")["unchanged"], metadata(runs, "ratings")["unchanged"]) == (False, False)
    again = run_job("load_catalog", platform, instance)
    changed = {
        event.asset_key.to_user_string(): event.materialization.metadata["unchanged"].value
        for event in again.all_events
        if event.is_step_materialization and "unchanged" in event.materialization.metadata
    }
    assert changed["movies"] is changed["ratings"] is changed["raw_movies"] is True


def test_phases_progress_and_the_decision_are_in_the_event_log(runs: Loaded) -> None:
    _, instance, results = runs
    logged = [record.message for record in instance.all_logs(results["retrain"].run_id)]
    assert any("fit a candidate on" in message and message.endswith(" s") for message in logged)
    assert any("promoted: first model: test RMSE" in message for message in logged)
    progress = [message for message in logged if message.endswith(" %")]
    phases = {message.rsplit(": ", 1)[0] for message in progress}
    assert progress
    assert len(progress) <= 2 * 12 * len(phases)  # two models, each phase at most every 10 %
