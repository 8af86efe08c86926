"""Check what a Parquet file claims against its size, before any of it is unpacked.

Here: the headers of pages, which tell how much memory a reader will allocate, and the limits. Not here: reading rows
(``parquet_file``). Page headers are Thrift structs in the compact protocol; pyarrow shows those of the footer only.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from cinematch_assets.reading.results import FileRefused

FREE_ROWS = 2 * 2**20
"""A file may hold so many rows whatever its size."""
MAX_ROWS_PER_BYTE = 8
"""MovieLens' ratings take about seven bytes a row."""
MAX_PAGE_FREE_BYTES = 32 * 2**20
"""Unpacked size that a page may claim whatever its own; writers make pages of about 1 MB."""
MAX_PAGE_RATIO = 64
"""Times its packed size that a larger page may claim."""
MAX_HEADER_BYTES = 2**16
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_INNER_FIELD = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
_ENCODING_FIELD = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_DELTA_BYTE_ARRAY = 7
_MAX_DEPTH = 8


class DamagedError(ValueError):
    """The bytes are not a page's header."""


@dataclass(frozen=True, slots=True)
class _Page:
    """A page's header."""

    kind: int
    unpacked: int
    packed: int
    values: int
    encoding: int
    header_bytes: int


def check_claims(file: BinaryIO, metadata: Any, columns: Collection[str], name: str) -> dict[str, int]:
    """Check rows and pages of the ``columns`` of an open file.

    Returns:
        Columns of which a page stores texts as differences from the one before, so that each text may be as long as the
        page, with the size of their largest page in bytes.

    Raises:
        FileRefused: It claims more than its size makes plausible, or its pages do not fit its footer.
    """
    size = file.seek(0, 2)
    if metadata.num_rows > max(FREE_ROWS, MAX_ROWS_PER_BYTE * size):
        raise FileRefused(name, f"claims {metadata.num_rows:,} rows in {size:,} bytes: write it less compressed")
    if metadata.num_rows != sum(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)):
        raise FileRefused(name, "is damaged: its row groups do not hold the rows that it claims")
    differences: dict[str, int] = {}
    try:
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            if row_group.num_rows == 0:
                continue
            for index in range(row_group.num_columns):
                chunk = row_group.column(index)
                column = chunk.path_in_schema
                if column in columns and (largest := _check_chunk(file, chunk, row_group.num_rows, size, name)):
                    differences[column] = max(largest, differences.get(column, 0))
    except DamagedError as fault:
        raise FileRefused(name, f"is damaged: {fault}") from fault
    return differences


def _check_chunk(file: BinaryIO, chunk: Any, rows: int, size: int, name: str) -> int:
    """Check the pages of one column; return the largest one's size if one of them stores differences, otherwise 0."""
    start = chunk.data_page_offset
    if chunk.dictionary_page_offset is not None and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    end = start + chunk.total_compressed_size
    if not 0 < start <= end <= size or chunk.num_values != rows:
        raise DamagedError(f"column {chunk.path_in_schema} is not where its footer says")
    values, largest, has_differences = 0, 0, False
    for page in _pages(file, start, end):
        limit = max(MAX_PAGE_FREE_BYTES, MAX_PAGE_RATIO * page.packed)
        if page.unpacked > limit or (page.kind == _DICTIONARY and page.values > limit):
            raise FileRefused(
                name,
                f"claims a page of {page.unpacked / 2**20:,.0f} MB in {page.packed:,} bytes (column "
                f"{chunk.path_in_schema}): write it with smaller pages",
            )
        values += page.values if page.kind in (_DATA, _DATA_V2) else 0
        if values > rows:
            raise DamagedError(f"column {chunk.path_in_schema} has more values than rows")
        largest = max(largest, page.unpacked)
        has_differences |= page.encoding == _DELTA_BYTE_ARRAY
    return largest if has_differences else 0


def _pages(file: BinaryIO, start: int, end: int) -> Iterator[_Page]:
    """Yield the headers of the pages between two offsets."""
    while start < end:
        file.seek(start)
        page = _read_page(file.read(min(MAX_HEADER_BYTES, end - start)))
        yield page
        start += page.header_bytes + page.packed


def _read_page(data: bytes) -> _Page:
    reader = _Compact(data)
    fields = reader.struct(0)
    kind, unpacked, packed = (_count(fields, number) for number in (1, 2, 3))
    inner = fields.get(_INNER_FIELD.get(kind, 0))
    if not isinstance(inner, dict):
        inner = {1: 0, 2: 0, 4: 0}
    return _Page(kind, unpacked, packed, _count(inner, 1), _count(inner, _ENCODING_FIELD.get(kind, 2)), reader.position)


def _count(fields: dict[int, Any], number: int) -> int:
    """Return the field of that number, which is a number that counts something."""
    value = fields.get(number)
    if not isinstance(value, int) or value < 0:
        raise DamagedError("a page has no size")
    return value


class _Compact:
    """Reads Thrift's compact protocol: structs by field number; of lists and maps only the end is found."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def struct(self, depth: int) -> dict[int, Any]:
        """Read a struct."""
        if depth > _MAX_DEPTH:
            raise DamagedError("a page's header is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        value: Any = None
        match kind:
            case 1 | 2:
                value = kind == 1
            case 3:
                value = self._byte()
            case 4 | 5 | 6:
                value = self._zigzag()
            case 7:
                self._skip(8)
            case 8:
                self._skip(self._varint())
            case 9 | 10:
                head = self._byte()
                self._items([head & 15], head >> 4 if head >> 4 != 15 else self._varint(), depth)
            case 11:
                count = self._varint()
                kinds = self._byte() if count else 0
                self._items([kinds >> 4, kinds & 15], count, depth)
            case 12:
                value = self.struct(depth + 1)
            case _:
                raise DamagedError("a page's header is not one")
        return value

    def _items(self, kinds: list[int], count: int, depth: int) -> None:
        if count > len(self._data):
            raise DamagedError("a page's header is not one")
        for _ in range(count):
            for kind in kinds:
                if kind in (1, 2):
                    self._byte()  # in lists a boolean takes a byte
                else:
                    self._value(kind, depth + 1)

    def _byte(self) -> int:
        if self.position >= len(self._data):
            raise DamagedError("a page's header is cut off")
        self.position += 1
        return self._data[self.position - 1]

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise DamagedError("a page's header holds no number")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, size: int) -> None:
        if size > len(self._data) - self.position:
            raise DamagedError("a page's header is cut off")
        self.position += size
