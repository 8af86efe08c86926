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
    assert (changes.batches, changes.catalogue_key, changes.collection_key, changes.problems) == ((), "", "", ())


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


def test_the_key_of_the_catalogue_depends_on_what_is_new(platform: Platform) -> None:
    drop(platform, "movies.csv", HEAT)
    movies = find_folder_changes(platform).catalogue_key
    drop(platform, "ratings.csv", BATCH)
    both = find_folder_changes(platform).catalogue_key
    load_table(platform, "movies")
    ratings = find_folder_changes(platform).catalogue_key
    assert sorted([movies, ratings]) == both.split("-")
    load_table(platform, "ratings")
    assert find_folder_changes(platform).catalogue_key == ""


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
    (problem,) = changes.problems
    assert problem.startswith(f"batches/{name}: not a batch")


def test_a_batch_in_two_formats_is_a_problem_and_stops_no_other(platform: Platform) -> None:
    drop(platform, "batches/batch_w1.csv", BATCH)
    drop(platform, "batches/batch_w1.parquet", b"PAR1")
    drop(platform, "batches/batch_w2.csv", BATCH)
    changes = find_folder_changes(platform)
    assert [batch for batch, _ in changes.batches] == ["batch_w2"]
    (problem,) = changes.problems
    assert problem.startswith("batches/batch_w1.csv and batches/batch_w1.parquet")
    assert "keep one" in problem


def test_skipped_files_of_the_collection_are_one_problem(platform: Platform) -> None:
    for name in ("a.png", "b.png"):
        drop(platform, f"Netflix_Movie_Collection/{name}", b"\x89PNG")
    (problem,) = find_folder_changes(platform).problems
    assert problem.startswith("2 of Netflix_Movie_Collection skipped, first Netflix_Movie_Collection/a.png")
