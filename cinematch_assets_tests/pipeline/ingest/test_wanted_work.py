"""What is asked for, what it waits for, and what a person can do; ``test_drive_sensor`` has the runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from cinematch_assets.drive.folder import FolderListing, UnreachableError
from cinematch_assets.pipeline.batch_drift import assess_batch, is_assessed
from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.ingest.wanted_work import find_wanted_work
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.results import FileRefused
from cinematch_assets.warehouse.batches import mark_batch_reported
from cinematch_assets.warehouse.outstanding import replace_outstanding
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop, load_table

HEAT = MOVIES + "10,Heat (1995),Action\n"
BATCH = RATINGS + "".join(f"{user},10,4.0,1000000000\n" for user in range(1, 10))


def wanted(platform: Platform) -> dict[tuple[str, str], str]:
    return {(work.kind, work.name): work.waits_for for work in find_wanted_work(platform).work}


def test_of_an_empty_platform_nothing_is_wanted(platform: Platform) -> None:
    found = find_wanted_work(platform)
    assert (found.work, found.notes) == ((), ())


def test_a_batch_is_wanted_until_it_is_loaded_assessed_and_reported(platform: Platform) -> None:
    load_table(platform, "movies", HEAT)
    assert wanted(platform) == {("features", "features"): ""}
    project_movies(platform)
    load_table(platform, "ratings", BATCH)
    drop(platform, "batches/batch_w1.csv", BATCH)
    assert wanted(platform) == {("batch", "batch_w1"): ""}
    load_table(platform, "batches/batch_w1")
    assert not is_assessed(platform, "batch_w1")
    assert wanted(platform) == {("assessment", "batch_w1"): ""}
    drift = assess_batch(platform, "batch_w1")
    assert is_assessed(platform, "batch_w1")
    assert wanted(platform) == {("report", "batch_w1"): ""}
    platform.warehouse.run(mark_batch_reported, "batch_w1", drift.batch.md5)
    assert wanted(platform) == {}


def test_another_content_is_assessed_and_reported_again(platform: Platform) -> None:
    load_table(platform, "movies", HEAT)
    project_movies(platform)
    load_table(platform, "ratings", BATCH)
    for content in (BATCH, BATCH.replace("4.0", "3.0"), BATCH):
        load_table(platform, "batches/batch_w1", content)
        assert wanted(platform) == {("assessment", "batch_w1"): ""}
        drift = assess_batch(platform, "batch_w1")
        platform.warehouse.run(mark_batch_reported, "batch_w1", drift.batch.md5)
        assert wanted(platform) == {}


def test_everything_at_once_waits_in_order(platform: Platform) -> None:
    drop(platform, "movies.csv", HEAT)
    drop(platform, "ratings.csv", BATCH)
    drop(platform, "batches/batch_w1.csv", BATCH)
    empty = "the catalogue is empty: movies are loaded first"
    assert wanted(platform) == {
        ("movies", "movies"): "",
        ("ratings", "ratings"): empty,
        ("batch", "batch_w1"): empty,
    }
    load_table(platform, "movies")
    project_movies(platform)
    assert set(wanted(platform).values()) == {""}
    load_table(platform, "batches/batch_w1")
    assert not find_wanted_work(platform).can_assess
    assert wanted(platform)["assessment", "batch_w1"] == "there are no ratings to compare it with yet"


@pytest.mark.parametrize(
    ("row", "state"), [("1,11,4.0,1000000000", "waiting"), ("1,10,9.0,1000000000", "given_up")], ids=["movie", "rating"]
)
def test_a_refused_file_is_a_row_with_its_reason(platform: Platform, row: str, state: str) -> None:
    load_table(platform, "movies", HEAT)
    project_movies(platform)
    with pytest.raises(FileRefused) as refused:
        load_table(platform, "ratings", RATINGS + row)
    (note,) = find_wanted_work(platform).notes
    assert (note.kind, note.work, note.state, note.reason) == ("ratings", "ratings", state, str(refused.value))
    Path(platform.folder.spec, "ratings.csv").unlink()
    assert find_wanted_work(platform).notes == ()


def test_without_the_folder_the_rest_is_still_known(platform: Platform) -> None:
    load_table(platform, "movies", HEAT)
    folder = Path(platform.folder.spec)
    folder.rename(folder.with_name("away"))
    found = find_wanted_work(platform)
    assert [work.kind for work in found.work] == ["features"]
    (note,) = found.notes
    assert (note.kind, note.state, str(folder) in note.reason) == ("folder", "given_up", True)
    assert set(found.kinds) == {"folder", "features", "assessment", "report"}


class OutOfReach:
    """A folder behind a service that does not answer."""

    spec = "gdrive:folder"

    def list_files(self, *_: object, **__: object) -> FolderListing:
        raise UnreachableError("Google Drive says 503; given up after 4 attempts.")

    def fetch(self, *_: object) -> None:
        raise NotImplementedError


def test_a_service_that_is_down_waits_and_needs_a_person_after_an_hour(platform: Platform) -> None:
    platform = replace(platform, folder=OutOfReach())
    for minutes, state in ((0, "waiting"), (59, "waiting"), (60, "given_up"), (90, "given_up")):
        (note,) = find_wanted_work(platform).notes
        with platform.warehouse.connect() as connection:
            replace_outstanding(connection, ["folder"], [note])
            connection.execute("UPDATE ops.outstanding_work SET since = now() - make_interval(mins => %s)", [minutes])
        (note,) = find_wanted_work(platform).notes
        assert (note.state, "503" in note.reason) == (state, True)
