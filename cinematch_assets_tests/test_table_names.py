import pytest

from cinematch_assets.schemas.table import BATCH_ID
from cinematch_assets.table_names import (
    SeveralTableFilesError,
    batch_id_of,
    choose_table_file,
    expected_names,
    is_table_file,
    near_miss,
    suffix_of,
    table_of,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("movies.csv", True),
        ("movies.CSV", True),
        ("movies.Parquet", True),
        ("movies.csv.gz", True),
        ("movies.csv.GZ", True),
        ("movies.gz", False),
        ("movies.json", False),
        ("movies", False),
        (".csv", False),
    ],
)
def test_a_table_file_is_csv_or_parquet_in_any_case(name: str, expected: bool) -> None:
    assert is_table_file(name) == expected


def test_a_table_s_file_is_chosen_by_its_path() -> None:
    paths = ["movies.csv", "old_movies.csv", "Movies.csv", "batches/movies.csv", "batches/w1.PARQUET"]
    assert choose_table_file(paths, "movies", "the folder") == "movies.csv"
    assert choose_table_file(paths, "batches/w1", "the folder") == "batches/w1.PARQUET"
    assert choose_table_file(paths, "ratings", "the folder") is None


def test_two_files_of_a_table_are_an_error_that_names_them() -> None:
    with pytest.raises(
        SeveralTableFilesError, match=r"^movies\.CSV and movies\.parquet in the folder are one table: keep"
    ):
        choose_table_file(["movies.parquet", "movies.CSV"], "movies", "the folder")


def test_the_expected_names_are_listed_for_messages() -> None:
    assert expected_names("batches/w1") == "batches/w1.csv, batches/w1.csv.gz or batches/w1.parquet"


@pytest.mark.parametrize(
    ("name", "batch_id"),
    [
        ("batch_w1.csv", "batch_w1"),
        ("w-1.PARQUET", "w-1"),
        ("batches/batch_w1.csv.gz", "batch_w1"),
        ("b" * 50 + ".csv", "b" * 50),
        ("b" * 51 + ".csv", None),
        ("batch w1.csv", None),
        ("b\u00e4tch.csv", None),
        ("batch_w1.txt", None),
        (".csv", None),
    ],
)
def test_a_batch_id_is_the_name_without_its_suffix(name: str, batch_id: str | None) -> None:
    assert batch_id_of(name) == batch_id


def test_the_schema_has_the_same_rule_for_batch_ids() -> None:
    from cinematch_assets.table_names import BATCH_ID_PATTERN, BATCH_ID_RULE

    assert BATCH_ID.arguments == (f"^{BATCH_ID_PATTERN}$",)
    assert BATCH_ID.words == BATCH_ID_RULE


@pytest.mark.parametrize(
    ("path", "suffix", "table"),
    [
        ("movies.csv", ".csv", "movies"),
        ("batches/batch_w1.CSV.gz", ".csv.gz", "batches/batch_w1"),
        ("a/b.JSON", ".json", "a/b"),
        ("a.csv/b", "", "a.csv/b"),
        ("a/.csv", "", "a/.csv"),
    ],
)
def test_the_suffix_and_the_table_of_a_path(path: str, suffix: str, table: str) -> None:
    assert (suffix_of(path), table_of(path)) == (suffix, table)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Ratings.csv", "tables are called ratings.csv, ratings.csv.gz or ratings.parquet"),
        ("rating.csv", "tables are called ratings.csv"),
        ("ratings (1).csv", "tables are called ratings.csv"),
        ("Copy of movies.csv", "tables are called movies.csv"),
        ("movies.dat", "tables are called movies.csv"),
        ("movies.csv.zip", "tables are called movies.csv"),
        ("movies.xlsx", "tables are called movies.csv"),
        ("movies", "has no suffix: name it movies.csv"),
        ("ratings/", "write its parts as one file"),
        ("ratings.parquet/", "write its parts as one file"),
        ("batch_w1.csv", "batches are read from the folder batches/"),
        ("Batches/", "the folder is called batches"),
        ("batch/", "the folder is called batches"),
        ("netflix movie collection/", "the folder is called Netflix_Movie_Collection"),
        ("batches/batch_w1.parquet/", "write its parts as one file"),
        ("batches/2026/", "batches are files in batches/ itself"),
        ("batches/batch w1.csv", "not a batch: name it 1 to 50 letters"),
        ("batches/batch_w1.xlsx", "not a batch"),
    ],
)
def test_a_name_that_is_nearly_right_is_explained(path: str, reason: str) -> None:
    assert reason in str(near_miss(path))


@pytest.mark.parametrize(
    "path",
    [
        "movies.csv",
        "ratings.PARQUET",
        "ratings.csv.gz",
        "README.txt",
        "links.csv",
        "movies_old.csv",
        "batches/",
        "images/",
        "batches/w1.csv",
        "Netflix_Movie_Collection/",
        "Netflix_Movie_Collection/x.txt",
    ],
)
def test_other_names_are_not_reported(path: str) -> None:
    assert near_miss(path) is None
