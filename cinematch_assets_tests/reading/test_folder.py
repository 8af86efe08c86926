import pytest

from cinematch_assets.reading.folder import one_table_file, table_file
from cinematch_assets.reading.results import FileRefused


@pytest.mark.parametrize("name", ["ratings.csv", "ratings.parquet"])
def test_a_table_is_found_by_name_among_others(tmp_path, name):
    for other in (name, "movies.csv", "ratings.csv.part", "old_ratings.csv"):
        (tmp_path / other).touch()
    assert table_file(tmp_path, "ratings") == tmp_path / name


def test_both_kinds_of_one_name_are_one_too_many():
    with pytest.raises(FileRefused, match=r"^the folder: there are both ratings\.csv and ratings\.parquet: keep one$"):
        one_table_file(["ratings.parquet", "ratings.csv"], "ratings", "the folder")


def test_no_file_is_told_with_the_names_looked_for(tmp_path):
    with pytest.raises(FileRefused, match=r": there is no ratings\.csv or ratings\.parquet in this folder$"):
        table_file(tmp_path, "ratings")


def test_no_folder_is_told_by_its_path(tmp_path):
    with pytest.raises(FileRefused, match=r"/nowhere: there is no such folder$"):
        table_file(tmp_path / "nowhere", "ratings")
