"""Each new content becomes a partition and a run, once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.dagster_support.attention_check import nothing_needs_attention
from cinematch_assets.dagster_support.runs import CAUSE_TAG
from cinematch_assets.drive.google_client import GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.token import DriveCredentials, TokenFile
from cinematch_assets.pipeline.attention import attention
from cinematch_assets.pipeline.batch_drift import assess_batch
from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection, load_fetched
from cinematch_assets.pipeline.monitoring.facts import read_facts
from cinematch_assets.pipeline.monitoring.page import render
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.values import OutstandingWork
from cinematch_assets.warehouse.notifications import list_notifications
from cinematch_assets.warehouse.outstanding import list_outstanding, replace_outstanding
from cinematch_assets_tests.support.definitions import repository
from cinematch_assets_tests.support.drive_server import DriveServer, Fault
from cinematch_assets_tests.support.platforms import (
    MOVIES,
    RATINGS,
    drop,
    insert_movies,
    load_table,
    make_platform,
)

ROW = "1,10,4.0,1000000000\n"
HEAT = '{"title": "Heat", "genre": "Crime", "rating": 8.3, "year": 1995}'


@pytest.fixture
def empty_platform(tmp_path: Path, database_url_18: str) -> Platform:
    return make_platform(tmp_path / "home", database_url_18, CINEMATCH_RETRY_GAP_S="0")


@pytest.fixture
def platform(empty_platform: Platform) -> Platform:
    load_table(empty_platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    project_movies(empty_platform)
    return empty_platform


def tick(platform: Platform, instance: dg.DagsterInstance) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, repository_def=repository(), resources={"platform": platform})
    return repository().get_sensor_def("drive_sensor")(context)


def add_run(
    instance: dg.DagsterInstance,
    request: dg.RunRequest,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.FAILURE,
    **causes: str,
) -> None:
    tags = {**request.tags, **{f"{CAUSE_TAG}{asset}": f"{cause}: why" for asset, cause in causes.items()}}
    if request.partition_key:
        tags["dagster/partition"] = request.partition_key
    selection = frozenset(request.asset_selection) if request.asset_selection else None
    instance.add_run(dg.DagsterRun(str(request.job_name), status=status, tags=tags, asset_selection=selection))


def rows(platform: Platform) -> dict[tuple[str, str], str]:
    return {(row.kind, row.work): row.state for row in platform.warehouse.run(list_outstanding)}


def row(platform: Platform, kind: str) -> OutstandingWork:
    (found,) = (row for row in platform.warehouse.run(list_outstanding) if row.kind == kind)
    return found


def names(request: dg.RunRequest) -> set[str] | None:
    return {key.to_user_string() for key in request.asset_selection} if request.asset_selection else None


def load_ratings(platform: Platform) -> None:
    load_table(platform, "ratings", RATINGS + "".join(f"{user},10,4.0,1000000000\n" for user in range(1, 10)))


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
    assert rows(platform) == {("batch", "batch_w1"): "running"}


def test_a_loaded_content_starts_no_run(platform: Platform, instance: dg.DagsterInstance) -> None:
    load_table(platform, "batches/batch_w1", RATINGS + ROW)
    finish_batch(platform)
    assert all(not tick(platform, instance).run_requests for _ in range(20))
    assert rows(platform) == {}


def test_other_content_under_the_same_name_is_a_change_and_another_time_is_not(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    path = drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    load_table(platform, "batches/batch_w1")
    finish_batch(platform)
    path.touch()
    assert not tick(platform, instance).run_requests
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW.replace("4.0", "3.0"))
    assert [request.partition_key for request in tick(platform, instance).run_requests] == ["batch_w1"]


def test_a_batch_whose_runs_end_with_unforeseen_errors_is_given_up(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    keys = []
    for _ in range(platform.settings.batch_max_attempts):
        (request,) = tick(platform, instance).run_requests
        keys.append(request.run_key.rsplit(":", 1)[1])
        add_run(instance, request, ratings_buffer="bug")
    assert keys == ["1", "2", "3"]
    assert not tick(platform, instance).run_requests
    assert row(platform, "batch").state == "given_up"
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW.replace("4.0", "3.0"))
    assert len(tick(platform, instance).run_requests) == 1


def test_outages_and_kills_use_up_no_attempts(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    for number in range(10):
        (request,) = tick(platform, instance).run_requests
        add_run(instance, request, **({"raw_ratings_batch": "surroundings"} if number % 2 else {}))
    assert len(tick(platform, instance).run_requests) == 1


def test_after_a_fault_of_the_surroundings_the_next_run_waits(
    tmp_path: Path, database_url_18: str, instance: dg.DagsterInstance
) -> None:
    platform = make_platform(tmp_path / "other", database_url_18)
    insert_movies(platform, (10, "Heat (1995)"))
    project_movies(platform)
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    add_run(instance, request, raw_ratings_batch="surroundings")
    assert not tick(platform, instance).run_requests
    waiting = row(platform, "batch")
    assert (waiting.state, waiting.reason, waiting.attempts) == ("waiting", "why", 1)
    assert waiting.retry_at is not None
    assert not tick(platform, instance).run_requests
    assert row(platform, "batch") == waiting  # nothing is written while nothing changes


@pytest.fixture
def google_drive(tmp_path: Path) -> Iterator[DriveServer]:
    with DriveServer().running() as drive:
        token_file = tmp_path / "token.json"
        token_file.write_text(json.dumps(drive.issue_token()))
        token_file.chmod(0o600)
        yield drive


def test_a_local_folder_that_is_gone_is_told_and_shown_until_it_is_back(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    folder = Path(platform.folder.spec)
    entry = "batches/batch w1.csv"
    drop(platform, entry, RATINGS + ROW)
    for number in (1, 2):
        tick(platform, instance)
        folder.rename(folder.with_name("away"))
        tick(platform, instance)
        told = tick(platform, instance)
        assert str(folder) in told.skip_reason.skip_message
        assert rows(platform) == {("folder", "folder"): "given_up", ("folder entry", entry): "left_out"}
        shown = next(each for each in attention(platform) if each.what == "the folder cannot be listed")
        assert (shown.needs_a_person, str(folder) in shown.why, shown.since is not None) == (True, True, True)
        assert "cinematch drive check" in shown.next_step
        badge = nothing_needs_attention().evaluate(platform, None)
        assert "the folder cannot be listed" in badge.description
        assert "the folder cannot be listed" in render(read_facts(platform, []))
        messages = [each for each in platform.warehouse.run(list_notifications) if each.kind == "folder"]
        assert len(messages) == number, "told once while it lasts, and again when it comes again"
        assert str(folder) in messages[0].body
        folder.with_name("away").rename(folder)
        tick(platform, instance)
        assert [key for key in rows(platform) if key[0] == "folder"] == []


@pytest.mark.parametrize(
    ("fault", "said", "step"),
    [
        ("revoked", "run `cinematch drive login`", "run cinematch drive login"),
        ("not shared", "This Google account cannot see gdrive:", "cinematch drive check"),
        ("api is off", "Google Drive says 403", "cinematch drive check"),
    ],
)
def test_a_folder_in_google_drive_that_cannot_be_listed_is_told_with_what_to_do(
    platform: Platform,
    instance: dg.DagsterInstance,
    google_drive: DriveServer,
    tmp_path: Path,
    fault: str,
    said: str,
    step: str,
) -> None:
    token_file = tmp_path / "token.json"
    top = google_drive.add_folder(None, "CineMatch")
    client = GoogleClient(DriveCredentials(TokenFile(token_file)), endpoint=google_drive.url)
    platform = replace(platform, folder=GoogleFolder(top, client))
    tick(platform, instance)
    assert rows(platform) == {}
    if fault == "revoked":
        google_drive.revoke_all()
    elif fault == "not shared":
        google_drive.invisible.add(top)
    else:
        google_drive.faults.append(Fault(fault, where="/files", times=100))
    tick(platform, instance)
    found = row(platform, "folder")
    assert (said in found.reason, step in found.next_step) == (True, True), found
    (message,) = platform.warehouse.run(list_notifications)
    assert (message.kind, said in message.body, step in message.next_step) == ("folder", True, True)
    client.close()


@pytest.mark.parametrize("inner", ["batches", "Netflix_Movie_Collection/a"])
def test_a_sub_folder_that_cannot_be_listed_is_a_row_and_stops_no_other(
    platform: Platform, instance: dg.DagsterInstance, google_drive: DriveServer, tmp_path: Path, inner: str
) -> None:
    top = google_drive.add_folder(None, "CineMatch")
    google_drive.add_file(top, "ratings.csv", (RATINGS + ROW).encode())
    closed = top
    for name in inner.split("/"):
        closed = google_drive.add_folder(closed, name)
    google_drive.faults.append(Fault("may not be downloaded", where=closed, times=100))
    client = GoogleClient(DriveCredentials(TokenFile(tmp_path / "token.json")), endpoint=google_drive.url)
    platform = replace(platform, folder=GoogleFolder(top, client))
    (request,) = tick(platform, instance).run_requests
    assert names(request) == {"raw_ratings", "ratings"}
    found = row(platform, "folder entry")
    assert (found.work, found.state) == (inner.split("/", maxsplit=1)[0], "left_out")
    assert "cannot be listed" in found.reason
    client.close()


def test_while_a_run_is_under_way_no_other_is_requested(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    assert not tick(platform, instance).run_requests
    assert len(request.tags["cinematch/batch-batch_w1"]) == 32


def test_a_refused_content_is_not_run_again(platform: Platform, instance: dg.DagsterInstance) -> None:
    with pytest.raises(FileRefused, match="no column"):
        load_table(platform, "batches/batch_w1", "nothing like ratings\n1\n")
    assert not tick(platform, instance).run_requests
    refused = row(platform, "batch")
    assert (refused.state, "no column" in refused.reason) == ("given_up", True)
    assert "put a corrected file into the folder" in refused.next_step


@pytest.mark.parametrize("name", ["batch w1.csv", "b" * 51 + ".csv", "batch,1.csv", "batch_w1.txt", "bätch.csv"])
def test_a_file_that_cannot_be_a_batch_is_reported_and_not_run(
    platform: Platform, name: str, instance: dg.DagsterInstance
) -> None:
    drop(platform, f"batches/{name}", RATINGS + ROW)
    answer = tick(platform, instance)
    assert not answer.run_requests
    assert name in answer.skip_reason.skip_message
    assert rows(platform) == {("folder entry", f"batches/{name}"): "left_out"}


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


def test_new_movies_run_the_whole_job_and_so_the_collection(
    empty_platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(empty_platform, "movies.csv", MOVIES + "10,Heat (1995),Action\n")
    drop(empty_platform, "ratings.csv", RATINGS + ROW)
    drop(empty_platform, "Netflix_Movie_Collection/heat.json", HEAT)
    (request,) = tick(empty_platform, instance).run_requests
    assert names(request) is None
    assert {"cinematch/movies", "cinematch/collection"} <= set(request.tags)
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    assert not tick(empty_platform, instance).run_requests


def test_ratings_that_were_given_up_do_not_keep_the_collection_waiting(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "ratings.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    add_run(instance, request, ratings="content")
    drop(platform, "Netflix_Movie_Collection/heat.json", HEAT)
    (request,) = tick(platform, instance).run_requests
    assert names(request) == {"raw_netflix_collection", "netflix_movies"}
    assert rows(platform) == {("ratings", "ratings"): "given_up", ("collection", "collection"): "running"}


def test_a_fault_of_the_movies_is_not_counted_against_the_ratings_of_the_same_run(
    empty_platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(empty_platform, "movies.csv", MOVIES + "10,Heat (1995),Action\n")
    drop(empty_platform, "ratings.csv", RATINGS + ROW)
    (request,) = tick(empty_platform, instance).run_requests
    add_run(instance, request, movies="content")
    assert not tick(empty_platform, instance).run_requests  # ratings alone would find no movies
    assert rows(empty_platform)["movies", "movies"] == "given_up"
    insert_movies(empty_platform, (10, "Heat (1995)"))
    project_movies(empty_platform)
    assert any("ratings" in (names(request) or ()) for request in tick(empty_platform, instance).run_requests)


def test_a_long_run_of_the_collection_holds_up_no_table(platform: Platform, instance: dg.DagsterInstance) -> None:
    drop(platform, "Netflix_Movie_Collection/heat.json", HEAT)
    (request,) = tick(platform, instance).run_requests
    add_run(instance, request, dg.DagsterRunStatus.STARTED)
    drop(platform, "ratings.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    assert names(request) == {"raw_ratings", "ratings"}


def test_features_that_a_dead_run_did_not_compute_are_asked_for(
    empty_platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_table(empty_platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    (request,) = tick(empty_platform, instance).run_requests
    assert names(request) == {"movie_genre_features"}
    project_movies(empty_platform)
    assert not tick(empty_platform, instance).run_requests


def test_a_batch_without_any_movie_waits_and_says_what_for(
    empty_platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(empty_platform, "batches/batch_w1.csv", RATINGS + ROW)
    assert not tick(empty_platform, instance).run_requests
    waiting = row(empty_platform, "batch")
    assert (waiting.state, waiting.next_step) == ("waiting", "put movies.csv into the folder")
    load_table(empty_platform, "movies", MOVIES + "10,Heat (1995),Action\n")
    project_movies(empty_platform)
    assert [request.partition_key for request in tick(empty_platform, instance).run_requests] == ["batch_w1"]


def test_a_batch_before_the_first_ratings_is_loaded_and_assessed_when_they_are_there(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    (request,) = tick(platform, instance).run_requests
    assert names(request) == {"raw_ratings_batch", "ratings_buffer", "monitoring_report"}
    load_table(platform, "batches/batch_w1")
    assert not tick(platform, instance).run_requests
    assert row(platform, "assessment").next_step == "put ratings.csv into the folder"
    load_ratings(platform)
    (request,) = tick(platform, instance).run_requests
    assert (request.partition_key, names(request)) == ("batch_w1", {"drift_report", "monitoring_report"})


def test_an_assessment_waits_for_the_first_model_while_one_is_on_its_way(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_ratings(platform)
    load_table(platform, "batches/batch_w1", RATINGS + ROW)
    model = OutstandingWork("model", "model", "first", "running", "a run is under way", "")
    platform.warehouse.run(replace_outstanding, ["model"], [model])
    assert not tick(platform, instance).run_requests
    assert row(platform, "assessment").reason == "the first model is trained first: it scores the batch"
    platform.warehouse.run(replace_outstanding, ["model"], [replace(model, state="given_up")])
    assert names(*tick(platform, instance).run_requests) == {"drift_report", "monitoring_report"}


def test_a_batch_that_was_loaded_and_never_assessed_is_asked_for_again(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_ratings(platform)
    drop(platform, "batches/batch_w1.csv", RATINGS + ROW)
    (whole,) = tick(platform, instance).run_requests
    assert names(whole) is None
    add_run(instance, whole, dg.DagsterRunStatus.STARTED)
    load_table(platform, "batches/batch_w1")
    assert not tick(platform, instance).run_requests  # the run that loaded it is going to assess it
    for run in instance.get_runs():
        instance.report_run_failed(run)
    (request,) = tick(platform, instance).run_requests
    assert (request.partition_key, names(request), request.run_config) == (
        "batch_w1",
        {"drift_report", "monitoring_report"},
        {},
    )
    assert rows(platform) == {("assessment", "batch_w1"): "running"}
    add_run(instance, request)  # a kill
    (again,) = tick(platform, instance).run_requests
    assert (request.run_key, again.run_key) == (f"{again.run_key[:-1]}1", f"{again.run_key[:-1]}2")


def test_a_report_that_could_not_be_written_is_made_without_assessing_again(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_ratings(platform)
    load_table(platform, "batches/batch_w1", RATINGS + ROW)
    assess_batch(platform, "batch_w1")
    (request,) = tick(platform, instance).run_requests
    assert request.run_config["ops"]["drift_report"]["config"] == {"only_missing": True}
    assert rows(platform) == {("report", "batch_w1"): "running"}


def test_a_batch_of_movies_that_the_catalogue_lacks_is_read_again_when_it_has_them(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    with pytest.raises(FileRefused, match="not in the table of movies"):
        load_table(platform, "batches/batch_w1", RATINGS + "1,11,4.0,1000000000\n")
    assert not tick(platform, instance).run_requests
    refused = row(platform, "batch")
    assert (refused.state, "it is then read again" in refused.next_step) == ("waiting", True)
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n11,Ran (1985),Drama\n")
    project_movies(platform)
    (request,) = tick(platform, instance).run_requests
    assert request.partition_key == "batch_w1"
    load_table(platform, "batches/batch_w1")
    finish_batch(platform)
    assert not tick(platform, instance).run_requests


def test_a_file_that_more_movies_would_not_help_stays_refused(platform: Platform, instance: dg.DagsterInstance) -> None:
    with pytest.raises(FileRefused):
        load_table(platform, "batches/batch_w1", RATINGS + "1,11,9.0,1000000000\n")
    load_table(platform, "movies", MOVIES + "10,Heat (1995),Action\n11,Ran (1985),Drama\n")
    project_movies(platform)
    assert not tick(platform, instance).run_requests
    assert row(platform, "batch").state == "given_up"


def test_a_folder_that_cannot_be_listed_does_not_stop_what_does_not_need_it(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    load_ratings(platform)
    load_table(platform, "batches/batch_w1", RATINGS + ROW)
    drop(platform, "batches/batch_w2.csv", RATINGS + ROW)
    tick(platform, instance)
    folder = Path(platform.folder.spec)
    folder.rename(folder.with_name("away"))
    (request,) = tick(platform, instance).run_requests
    assert (request.partition_key, names(request)) == ("batch_w1", {"drift_report", "monitoring_report"})
    assert ("batch", "batch_w2") in rows(platform)  # as it was at the last look
    folder.with_name("away").rename(folder)


def finish_batch(platform: Platform) -> None:
    """As if the batch had been assessed and reported."""
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.batches SET assessed_md5 = md5, reported_md5 = md5")
