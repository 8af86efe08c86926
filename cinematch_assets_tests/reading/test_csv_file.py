import resource

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cinematch_assets.reading.csv_file import CsvFile
from cinematch_assets.reading.results import FileRefused, RejectionLimit
from cinematch_assets.schemas.ratings_file import RATINGS_FILE
from cinematch_assets_tests.support.rating_files import (
    BODY,
    HEADER,
    ODD_BODY,
    RELAXED,
    in_blocks,
    outcome,
    ratings_of,
    refusal,
    write,
)


@pytest.mark.faults("generated-files")
@RELAXED
@given(BODY)
@example(ODD_BODY)
def test_for_any_bytes_every_row_is_accepted_or_rejected_once(tmp_path_factory, body):
    path = write(tmp_path_factory.mktemp("any"), HEADER.encode() + b"\n" + body)
    try:
        reading = ratings_of(path)
    except FileRefused as refused:
        assert "header and no rows" in str(refused)  # noqa: PT017 - only one of the two may happen
        return
    numbers = [row.row_number for row in reading.rejected]
    assert reading.rows_read == len(reading.accepted) + len(reading.rejected)
    assert numbers == sorted(set(numbers) & set(range(1, reading.rows_read + 1)))
    assert all(row.reasons and "\0" not in row.raw_row for row in reading.rejected)
    assert not reading.accepted.duplicated(["userId", "movieId"]).any()


@pytest.mark.faults("generated-files")
@RELAXED
@given(BODY, st.integers(1, 40))
@example(ODD_BODY, 1)
@example(ODD_BODY, 9)
@example(b"\n\xef\xbb\xbf\n\xef\xbb\xbf1,2,3.0,4\n", 1)  # pyarrow drops a mark where a block happens to begin
def test_the_result_depends_neither_on_the_size_of_blocks_nor_on_the_parser(tmp_path_factory, body, block_bytes):
    path = write(tmp_path_factory.mktemp("any"), HEADER.encode() + b"\n" + body)
    at_once = outcome(in_blocks(path, 2**20))
    assert outcome(in_blocks(path, block_bytes)) == at_once
    assert outcome(in_blocks(path, 2**20, strictly=True)) == at_once


def test_a_block_of_valid_rows_is_parsed_by_pyarrow(tmp_path):
    # No other test would notice a fast path that is never taken: the strict parser gives the same rows, only slower.
    content = f"note,{HEADER}\r\n" + "".join(f'"a, {n}",{n},10,4.0,5\r\n' for n in range(1, 50))
    blocks = CsvFile(write(tmp_path, content), "ratings.csv", RATINGS_FILE, 100).blocks()
    assert sum(len(block.typed()) for block in blocks) == 49


def test_blocks_can_be_read_again_by_number(tmp_path):
    source = CsvFile(write(tmp_path, f"{HEADER}\n1,2,3.0,4\n\n5,6,3.5,8\n"), "ratings.csv", RATINGS_FILE, 1)
    rows = [block.raw(np.arange(block.cells()[0])) for block in source.blocks()]
    assert [row for block in rows for row in block] == [b"1,2,3.0,4", b"5,6,3.5,8"]
    assert [(n, block.raw(np.arange(block.cells()[0]))) for n, block in source.reread([3])] == [(3, rows[3])]


def test_a_row_without_an_end_refuses_the_file(tmp_path):
    path = write(tmp_path, f"{HEADER}\n1,10,4.0,5\n" + "x" * 5_000)
    with pytest.raises(FileRefused, match=r"^ratings\.csv: the row at byte 43 has no end in 1,\d\d\d bytes$"):
        list(CsvFile(path, "ratings.csv", RATINGS_FILE, 100, max_row_bytes=1_000).blocks())


@pytest.mark.parametrize("row", [b"1" * 3_000_000, b'"' + b"1\n" * 1_500_000, b'1,"' + b"2" * 3_000_000 + b'",3.0,4\n'])
def test_an_endless_row_refuses_the_file(tmp_path, row):
    path = write(tmp_path, HEADER.encode() + b"\n1,2,3.0,4\n" + row)
    said = str(refusal(ratings_of, path, limit=RejectionLimit()))
    assert "the row at byte 42 has no end in 1,048,576 bytes" in said or "do not fit" in said


def test_rows_of_which_none_fits_are_read_in_little_memory(tmp_path):
    path = write(tmp_path, HEADER.encode() + b"\n" + b"a,b,c,d\n" * 400_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "do not fit" in str(refusal(ratings_of, path, limit=RejectionLimit()))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024
