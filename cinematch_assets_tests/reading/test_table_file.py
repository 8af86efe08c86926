import numpy as np
import pytest

from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.ratings import find_replaced_ratings
from cinematch_assets.reading.results import FileRefused, RejectionLimit
from cinematch_assets.reading.table_file import Reader, open_table, read_file
from cinematch_assets.schemas.ratings_file import RATINGS_FILE
from cinematch_assets_tests.support.rating_files import ALL, HEADER, in_blocks, ratings_of, rows, write


def test_a_large_file_that_no_valid_row_can_save_is_refused_before_its_end(tmp_path):
    path = write(tmp_path, "\n".join([HEADER, *["1,10,9.9,5"] * 100, *["1,10,4.0,5"] * 100]))
    source = CsvFile(path, "r.csv", RATINGS_FILE, 200)
    reader = Reader(source, "r.csv", RATINGS_FILE, RejectionLimit(), early_refusal_rows=10)
    with pytest.raises(
        FileRefused, match=r"^r\.csv: \d\d of the first \d\d rows do not fit \(100\.0%, 5\.0% allowed\)"
    ):
        reader.read(find_replaced_ratings)


def test_row_numbers_count_through_blocks_rejected_rows_and_duplicates(tmp_path):
    lines = ["bad", "1,10,4.0,1", "bad", "2,10,4.0,1", "1,10,3.0,2", "", "bad", "2,10,3.5,2", "3,10,1.0,1", "bad"]
    path = write(tmp_path, "\n".join([HEADER, *lines]))
    numbered = [line for line in lines if line]
    for size in (1, 16, 30, 2**20):
        reading = in_blocks(path, size)
        assert [row.row_number for row in reading.rejected] == [1, 2, 3, 4, 6, 9]
        assert [row.raw_row for row in reading.rejected] == [numbered[row.row_number - 1] for row in reading.rejected]
        assert rows(reading.accepted) == [(1, 10, 3.0, 2), (2, 10, 3.5, 2), (3, 10, 1.0, 1)]


def test_a_rejected_row_replaces_no_other(tmp_path):
    reading = ratings_of(write(tmp_path, f"{HEADER}\n1,10,4.0,1\n1,10,9.0,2\n"))
    assert (rows(reading.accepted), len(reading.rejected)) == ([(1, 10, 4.0, 1)], 1)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(FileRefused, match=r"^ratings\.csv: cannot be opened: Is a directory$"):
        open_table(tmp_path, "ratings.csv", RATINGS_FILE)


def test_the_log_says_from_which_row_the_strict_parser_is_used_and_why(tmp_path, caplog):
    path = write(tmp_path, f"{HEADER}\n1,10,4.0,1\n0x2,10,4.0,1\n")
    with caplog.at_level("DEBUG", logger="cinematch_assets.reading"):
        in_blocks(path, 2**20)
    assert caplog.messages == ["ratings.csv: strict parser from row 1 on: there may be a hexadecimal number"]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = write(tmp_path, f"{HEADER}\n1,10,4.0,1\n")

    def append_a_row(ratings):
        with path.open("a") as file:
            file.write("2,10,4.0,1\n")
        return np.empty(0, dtype=np.int64)

    with pytest.raises(FileRefused, match="changed while it was read"):
        read_file(path, "ratings.csv", RATINGS_FILE, ALL, append_a_row)
