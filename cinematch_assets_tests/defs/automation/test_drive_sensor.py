"""Each new content becomes a partition and a run, once."""

import dagster as dg
import pytest

from cinematch_assets.defs.automation.drive_sensor import CONTENT_TAG
from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection, load_fetched
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop, load_table

ROW = "1,10,4.0,1000000000\n"
HEAT = '{"title": "Heat", "genre": "Crime", "rating": 8.3, "year": 1995}'


@pytest.fixture
def platform(platform: Platform) -> Platform:
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    return platform


def tick(platform: Platform, instance: dg.DagsterInstance) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("drive_sensor")(context)


def add_run(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
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


def test_a_loaded_content_starts_no_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    load_table(platform, "batches/batch_w1", RATINGS + ROW)
    assert all(not tick(platform, instance).run_requests for _ in range(20))


def test_other_content_under_the_same_name_is_a_change_and_another_time_is_not(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    path = drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    load_table(platform, "batches/batch_w1")
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
        add_run(instance, request, dg.DagsterRunStatus.FAILURE)
    assert keys == ["1", "2", "3"]
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert "given up after 3 runs" in answer.skip_reason.skip_message


def test_while_a_run_is_under_way_no_other_is_requested(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    assert not tick(platform, instance).run_requests
    assert request.tags[CONTENT_TAG].startswith("batch_w1:")


def test_a_refused_content_is_not_run_again(platform: Platform, instance: dg.DagsterInstance) -> None:
    with pytest.raises(FileRefused, match="no column"):
        load_table(platform, "batches/batch_w1", "nothing like ratings\n1\n")
    assert not tick(platform, instance).run_requests


@pytest.mark.parametrize("name", ["batch w1.csv", "b" * 51 + ".csv", "batch,1.csv", "batch_w1.txt", "bätch.csv"])
def test_a_file_that_cannot_be_a_batch_is_reported_and_not_run(
    platform: Platform, name: str, instance: dg.DagsterInstance
) -> None:
    drop(platform, f"batches/{name}", RATINGS + ROW)
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert name in answer.skip_reason.skip_message


def test_new_movies_or_ratings_request_the_catalogue(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "ratings.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    assert request.job_name == "load_catalog"


def test_a_batch_in_two_formats_waits_for_a_person(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    drop(platform, "batches/batch_w1.parquet", b"PAR1")
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert "keep one" in answer.skip_reason.skip_message


def test_a_movie_of_the_collection_requests_its_two_assets(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "Netflix_Movie_Collection/a/b/heat.json", HEAT)
    (request,) = tick(platform, instance).run_requests
    assert request.job_name == "load_catalog"
    assert {key.to_user_string() for key in request.asset_selection} == {"raw_netflix_collection", "netflix_movies"}
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    assert not tick(platform, instance).run_requests


def test_the_collection_is_requested_by_content(platform: Platform, instance: dg.DagsterInstance) -> None:
    path = drop(platform, "Netflix_Movie_Collection/heat.json", HEAT)
    drop(platform, "Netflix_Movie_Collection/bad.json", "{")
    (before,) = tick(platform, instance).run_requests
    fetch_collection(platform)
    assert tick(platform, instance).run_requests  # fetched is not loaded
    load_fetched(platform)
    assert all(not tick(platform, instance).run_requests for _ in range(20))
    path.touch()
    assert not tick(platform, instance).run_requests
    drop(platform, "Netflix_Movie_Collection/heat.json", HEAT.replace("8.3", "8.4"))
    (after,) = tick(platform, instance).run_requests
    assert before.run_key != after.run_key


def test_a_run_of_the_catalogue_includes_the_collection(platform: Platform, instance: dg.DagsterInstance) -> None:
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
