"""What a Parquet file claims, against its size."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cinematch_assets.reading.parquet_pages import DamagedError, _Compact, _read_page, check_claims
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.rating_files import ratings_of, refusal

COLUMNS = ("userId", "movieId", "rating", "timestamp")


def parquet(path: Path, rows: int, **options: Any) -> Path:
    """Ratings that repeat, written in row groups of a million."""
    table = pa.table({name: pa.array([4] * min(rows, 2**20), pa.int64()) for name in COLUMNS})
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        for start in range(0, rows, 2**20):
            writer.write_table(table.slice(0, min(2**20, rows - start)))
    return path


def longest(path: Path, columns: tuple[str, ...] = COLUMNS) -> dict[str, int]:
    with path.open("rb") as file:
        return check_claims(file, columns, path.name)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "compression": "none"},
        {"compression": "zstd", "write_page_checksum": True},
        {"write_statistics": True, "write_page_index": True},
        {"use_dictionary": False, "column_encoding": dict.fromkeys(COLUMNS, "DELTA_BINARY_PACKED")},
    ],
    ids=str,
)
def test_what_writers_write_is_plausible(tmp_path: Path, options: dict[str, Any]) -> None:
    assert longest(parquet(tmp_path / "ratings.parquet", 300_000, **options)) == {}


def test_texts_stored_as_differences_are_found(tmp_path: Path) -> None:
    table = pa.table({"title": [f"A long title that is nearly the same {n}" for n in range(5_000)]})
    path = tmp_path / "movies.parquet"
    pq.write_table(table, path, use_dictionary=False, column_encoding={"title": "DELTA_BYTE_ARRAY"})
    (largest,) = longest(path, ("title",)).values()
    assert 0 < largest < 2**20


def test_a_hundred_million_rows_in_a_small_file_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "ratings.parquet", 20 * 2**20)
    assert path.stat().st_size < 2 * 2**20
    assert "claims 20,971,520 rows in" in str(refusal(ratings_of, path))


def test_a_page_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "use_dictionary": False,
        "compression": "zstd",
        "data_page_size": 2**30,
    }
    path = parquet(tmp_path / "ratings.parquet", 2**20, max_rows_per_page=2**20, write_batch_size=2**20, **options)
    content = path.read_bytes()
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    header = content[start : start + _read_page(content[start : start + 1_000]).header_bytes]
    truth = _varint(_read_page(header).unpacked)
    lie = _varint(2**26)
    assert header.count(truth) == 1
    assert len(truth) == len(lie)
    path.write_bytes(content[:start] + header.replace(truth, lie) + content[start + len(header) :])
    with pytest.raises(FileRefused, match="claims a page of 64 MB"):
        longest(path)


def _varint(number: int) -> bytes:
    """A number as Thrift's compact protocol writes it."""
    zigzag, out = number << 1, bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    return bytes((*out, zigzag))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x15", b"\x15" + b"\xff" * 20, b"\x1c" * 20, b"\x19\xfc\xff\xff\xff\x7f", b"\x18\x7f", b"\x1e"],
    ids=["empty", "no number", "endless number", "deep", "long list", "long text", "no type"],
)
def test_a_header_that_is_none_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError):
        _Compact(data).struct(0)
