"""Files that may be compressed by gzip."""

import gzip
import os
from pathlib import Path

import pytest

from cinematch_assets.reading.compressed import MAX_UNPACKED_FREE_BYTES, open_unpacked
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.rating_files import HEADER, outcome, ratings_of, refusal, write

ROWS = HEADER + "\n" + "".join(f"{n},10,4.0,5\n" for n in range(1, 2_001))


def test_a_compressed_file_is_read_as_the_file_itself(tmp_path: Path) -> None:
    content = ROWS + "1,10,3.0,6\n7,8,9.0,1\n"
    packed = write(tmp_path, gzip.compress(content.encode()), "ratings.csv.gz")
    assert outcome(ratings_of(packed)) == outcome(ratings_of(write(tmp_path, content)))


def test_it_is_known_by_its_first_bytes_whatever_its_name(tmp_path: Path) -> None:
    assert ratings_of(write(tmp_path, gzip.compress(ROWS.encode()))).rows_read == 2_000


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    packed = gzip.compress(ROWS.encode() + os.urandom(1_000).hex().encode())
    path = write(tmp_path, packed[: int(len(packed) * kept)], "ratings.csv.gz")
    assert "is damaged or cut off" in str(refusal(ratings_of, path)) or kept == 0.0


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(ROWS.encode())
        for _ in range(40):
            packed.write(b"1,10,4.0,5\n" * 200_000)
    assert path.stat().st_size < 2**20
    assert "unpacks to more than 64 MB" in str(refusal(ratings_of, path))
    read = 0
    with open_unpacked(path, "ratings.csv.gz") as file:
        try:
            while piece := file.read(2**20):
                read += len(piece)
        except FileRefused:
            pass
    assert MAX_UNPACKED_FREE_BYTES - 2**20 < read <= MAX_UNPACKED_FREE_BYTES
