"""Which contents of the folder are new, and which files cannot be used."""

import pytest

from cinematch_assets.pipeline.ingest.folder_changes import find_folder_changes
from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection, load_fetched
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop, load_table

HEAT = MOVIES + "10,Heat (1995),Action\n"
BATCH = RATINGS + "1,10,4.0,1000000000\n"
MOVIE = '{"title": "Heat", "genre": "Crime", "rating": 8.3, "year": 1995}'


def test_an_empty_folder_has_no_changes(platform: Platform) -> None:
    changes = find_folder_changes(platform)
    assert (changes.batches, changes.tables, changes.collection_key, changes.left_out) == ((), (), "", ())


def test_a_batch_is_new_until_it_is_loaded(platform: Platform) -> None:
    load_table(platform, "movies", HEAT)
    path = drop(platform, "batches/batch_w1.csv", BATCH)
    assert [batch for batch, _ in find_folder_changes(platform).batches] == ["batch_w1"]
    load_table(platform, "batches/batch_w1")
    assert find_folder_changes(platform).batches == ()
    path.touch()
    assert find_folder_changes(platform).batches == ()
    path.write_text(BATCH.replace("4.0", "3.0"))
    assert len(find_folder_changes(platform).batches) == 1


def test_a_refused_content_is_processed(platform: Platform) -> None:
    load_table(platform, "movies", HEAT)
    with pytest.raises(FileRefused):
        load_table(platform, "batches/batch_w1", "nothing like ratings\n1\n")
    assert find_folder_changes(platform).batches == ()


def test_each_table_is_new_by_itself(platform: Platform) -> None:
    def new() -> list[str]:
        return [table for table, _ in find_folder_changes(platform).tables]

    drop(platform, "movies.csv", HEAT)
    assert new() == ["movies"]
    drop(platform, "ratings.csv", BATCH)
    assert new() == ["movies", "ratings"]
    load_table(platform, "movies")
    assert new() == ["ratings"]
    load_table(platform, "ratings")
    assert new() == []


def test_two_files_of_one_table_wait_for_a_person(platform: Platform) -> None:
    drop(platform, "movies.csv", HEAT)
    drop(platform, "movies.parquet", b"PAR1")
    changes = find_folder_changes(platform)
    assert changes.tables == ()
    assert [entry.path for entry in changes.left_out] == ["movies"]


def test_the_key_of_the_collection_depends_on_its_contents(platform: Platform) -> None:
    path = drop(platform, "Netflix_Movie_Collection/heat.json", MOVIE)
    first = find_folder_changes(platform).collection_key
    assert len(first) == 32
    path.write_text(MOVIE.replace("8.3", "8.4"))
    assert find_folder_changes(platform).collection_key not in ("", first)
    fetch_collection(platform)
    load_fetched(platform)
    assert find_folder_changes(platform).collection_key == ""


@pytest.mark.parametrize("name", ["batch w1.csv", "b" * 51 + ".csv", "batch,1.csv", "batch_w1.txt", "bätch.csv"])
def test_a_file_that_cannot_be_a_batch_is_a_problem(platform: Platform, name: str) -> None:
    drop(platform, f"batches/{name}", BATCH)
    changes = find_folder_changes(platform)
    assert changes.batches == ()
    (entry,) = changes.left_out
    assert entry.path == f"batches/{name}"
    assert entry.reason.startswith("not a batch")


def test_names_that_are_nearly_right_are_left_out_with_the_reason(platform: Platform) -> None:
    for name in (
        "Ratings.csv",
        "movies.csv.zip",
        "batch_w1.csv",
        "batches/old/batch_w0.csv",
        "batches/w2.parquet/p.parquet",
    ):
        drop(platform, name, BATCH)
    drop(platform, "notes.txt", "nothing like a table")
    changes = find_folder_changes(platform)
    assert (changes.batches, changes.tables) == ((), ())
    assert {entry.path: entry.reason.partition(":")[0] for entry in changes.left_out} == {
        "Ratings.csv": "is not read",
        "movies.csv.zip": "is not read",
        "batch_w1.csv": "is not read",
        "batches/old/": "is a folder",
        "batches/w2.parquet/": "is a folder",
    }


def test_a_suffix_counts_in_any_case(platform: Platform) -> None:
    drop(platform, "movies.CSV", HEAT)
    drop(platform, "batches/batch_w1.Csv", BATCH)
    changes = find_folder_changes(platform)
    assert [table for table, _ in changes.tables] == ["movies"]
    assert [batch for batch, _ in changes.batches] == ["batch_w1"]
    load_table(platform, "movies")
    assert find_folder_changes(platform).tables == ()


def test_a_batch_in_two_formats_is_a_problem_and_stops_no_other(platform: Platform) -> None:
    drop(platform, "batches/batch_w1.csv", BATCH)
    drop(platform, "batches/batch_w1.parquet", b"PAR1")
    drop(platform, "batches/batch_w2.csv", BATCH)
    changes = find_folder_changes(platform)
    assert [batch for batch, _ in changes.batches] == ["batch_w2"]
    (entry,) = changes.left_out
    assert entry.path == "batches/batch_w1"
    assert entry.reason.startswith("batches/batch_w1.csv and batches/batch_w1.parquet")
    assert "keep one" in entry.reason


def test_skipped_files_of_the_collection_are_one_problem(platform: Platform) -> None:
    for name in ("a.png", "b.png"):
        drop(platform, f"Netflix_Movie_Collection/{name}", b"\x89PNG")
    (entry,) = find_folder_changes(platform).left_out
    assert entry.path == "Netflix_Movie_Collection"
    assert entry.reason.startswith("2 entries are skipped, the first is Netflix_Movie_Collection/a.png: is neither")
