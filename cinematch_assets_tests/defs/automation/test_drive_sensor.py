"""New contents become partitions and runs, each once, and nothing else does."""

from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.defs.automation.drive_sensor import CONTENT_TAG
from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_batch_file, load_movies_file
from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection, load_fetched
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, a_platform, drop

ROW = "1,10,4.0,1000000000\n"
HEAT = '{"title": "Heat", "genre": "Crime", "rating": 8.3, "year": 1995}'


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> Platform:
    made = a_platform(tmp_path, database_url_18)
    drop(made, "movies.csv", MOVIES + "10,Heat (1995),Action\n")
    land_table(made, "movies")
    load_movies_file(made)
    return made


def tick(platform: Platform, instance: dg.DagsterInstance) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("drive_sensor")(context)


def a_run_ended(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun("ingest_batch", status=status, tags=dict(request.tags)))


def test_a_new_batch_becomes_a_partition_and_a_run_that_names_its_content(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    answer = tick(platform, instance)
    (request,) = answer.run_requests
    assert (request.job_name, request.partition_key) == ("ingest_batch", "batch_w1")
    batch, md5, attempt = request.run_key.split(":")
    assert (batch, len(md5), attempt) == ("batch_w1", 32, "1")
    assert answer.dynamic_partitions_requests[0].partition_keys == ["batch_w1"]


def test_a_hundred_looks_at_nothing_new_start_nothing(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    land_table(platform, "batches/batch_w1")
    load_batch_file(platform, "batch_w1")
    assert all(not tick(platform, instance).run_requests for _ in range(100))


def test_other_content_under_the_same_name_is_news_and_another_time_is_not(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    path = drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    land_table(platform, "batches/batch_w1")
    load_batch_file(platform, "batch_w1")
    path.touch()
    assert not tick(platform, instance).run_requests
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW.replace("4.0", "3.0"))
    assert [request.partition_key for request in tick(platform, instance).run_requests] == ["batch_w1"]


def test_a_failed_batch_is_tried_again_up_to_a_limit_under_new_keys(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    keys = []
    for _ in range(platform.settings.batch_max_attempts):
        (request,) = tick(platform, instance).run_requests
        keys.append(request.run_key.rsplit(":", 1)[1])
        a_run_ended(instance, request, dg.DagsterRunStatus.FAILURE)
    assert keys == ["1", "2", "3"]
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert "given up after 3 runs" in answer.skip_reason.skip_message


def test_while_a_run_is_under_way_nothing_more_is_asked_for(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    a_run_ended(instance, request, dg.DagsterRunStatus.STARTED)
    assert not tick(platform, instance).run_requests
    assert request.tags[CONTENT_TAG].startswith("batch_w1:")


def test_a_refused_content_is_not_run_again(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", "nothing like ratings\n1\n")
    land_table(platform, "batches/batch_w1")
    with pytest.raises(Exception, match="no column"):
        load_batch_file(platform, "batch_w1")
    assert not tick(platform, instance).run_requests


@pytest.mark.parametrize("name", ["batch w1.csv", "b" * 51 + ".csv", "batch,1.csv", "batch_w1.txt", "bätch.csv"])
def test_what_cannot_be_a_batch_is_reported_and_not_run(
    platform: Platform, name: str, instance: dg.DagsterInstance
) -> None:
    drop(platform, f"batches/{name}", RATINGS + ROW)
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert name in answer.skip_reason.skip_message


def test_new_movies_or_ratings_ask_for_the_catalogue(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "ratings.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    assert request.job_name == "load_catalog"


def test_a_batch_in_two_formats_waits_for_a_person(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    drop(platform, "batches/batch_w1.parquet", b"PAR1")
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert "keep one" in answer.skip_reason.skip_message


def test_a_movie_of_the_collection_asks_for_its_two_assets(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "Netflix_Movie_Collection/a/b/heat.json", HEAT)
    (request,) = tick(platform, instance).run_requests
    assert request.job_name == "load_catalog"
    assert {key.to_user_string() for key in request.asset_selection} == {"raw_netflix_collection", "netflix_movies"}
    a_run_ended(instance, request, dg.DagsterRunStatus.STARTED)
    assert not tick(platform, instance).run_requests


def test_the_collection_is_asked_for_by_content_whatever_its_files_are_called(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    path = drop(platform, "Netflix_Movie_Collection/heat.json", HEAT)
    drop(platform, "Netflix_Movie_Collection/bad.json", "{")
    (before,) = tick(platform, instance).run_requests
    fetch_collection(platform)
    assert tick(platform, instance).run_requests  # fetched is not loaded
    load_fetched(platform)
    assert all(not tick(platform, instance).run_requests for _ in range(100))
    path.touch()
    assert not tick(platform, instance).run_requests
    drop(platform, "Netflix_Movie_Collection/heat.json", HEAT.replace("8.3", "8.4"))
    (after,) = tick(platform, instance).run_requests
    assert before.run_key != after.run_key


def test_a_run_of_the_catalogue_has_the_collection_in_it(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "ratings.csv", RATINGS + ROW)
    drop(platform, "Netflix_Movie_Collection/heat.json", HEAT)
    (request,) = tick(platform, instance).run_requests
    assert request.run_key.startswith("catalogue:")
    assert not request.asset_selection
    instance.add_run(dg.DagsterRun("load_catalog", status=dg.DagsterRunStatus.STARTED, tags=dict(request.tags)))
    assert not tick(platform, instance).run_requests


def test_a_catalogue_that_was_given_up_does_not_keep_the_collection_waiting(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "ratings.csv", RATINGS + ROW)
    drop(platform, "Netflix_Movie_Collection/heat.json", HEAT)
    for _ in range(platform.settings.batch_max_attempts):
        (request,) = tick(platform, instance).run_requests
        instance.add_run(dg.DagsterRun("load_catalog", status=dg.DagsterRunStatus.FAILURE, tags=dict(request.tags)))
    (request,) = tick(platform, instance).run_requests
    assert request.run_key.startswith("collection:")
