"""Check what a Parquet file claims against its size, before any of it is unpacked.

Here: the footer and the headers of pages, which tell how much memory a reader will allocate, and the limits. Not here:
reading rows (``parquet_file``). Both are Thrift structs in the compact protocol, and are read here before pyarrow sees
the file, because a damaged footer can make pyarrow abort the process. Fields are numbered as in ``parquet.thrift``.
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
MAX_FOOTER_BYTES = 16 * 2**20
_SCHEMA, _ROWS, _ROW_GROUPS = 2, 3, 4
_CHILDREN = 5
_GROUP_COLUMNS, _GROUP_ROWS = 1, 3
_CHUNK_METADATA = 3
_CHUNK_PATH, _CHUNK_VALUES, _CHUNK_BYTES, _CHUNK_DATA, _CHUNK_DICTIONARY = 3, 5, 7, 9, 11
_INNER_FIELD = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}
_ENCODING_FIELD = {_DATA: 2, _DICTIONARY: 2, _DATA_V2: 4}
_DELTAS = (6, 7)
"""Encodings of texts, by lengths alone or as differences, that pyarrow cannot read as a dictionary."""
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


def check_claims(file: BinaryIO, columns: Collection[str], name: str) -> dict[str, int]:
    """Check an open file's footer, and rows and pages of its ``columns``.

    Returns:
        Columns of which a page stores texts as differences from the one before, so that each text may be as long as the
        page, with the size of their largest page in bytes.

    Raises:
        FileRefused: It claims more than its size makes plausible, or its pages do not fit its footer.
    """
    differences: dict[str, int] = {}
    try:
        size, footer = _read_footer(file)
        rows, groups = _count(footer, _ROWS), _structs(footer, _ROW_GROUPS)
        if rows > max(FREE_ROWS, MAX_ROWS_PER_BYTE * size):
            raise FileRefused(name, f"claims {rows:,} rows in {size:,} bytes: write it less compressed")
        leaves = sum(not element.get(_CHILDREN) for element in _structs(footer, _SCHEMA)[1:])
        for group in _check_groups(groups, rows, leaves):
            for chunk in (_struct(chunk, _CHUNK_METADATA) for chunk in _structs(group, _GROUP_COLUMNS)):
                column = _path(chunk)
                if column in columns and _count(group, _GROUP_ROWS):
                    largest = _check_chunk(file, chunk, _count(group, _GROUP_ROWS), size, name)
                    if largest:
                        differences[column] = max(largest, differences.get(column, 0))
    except DamagedError as fault:
        raise FileRefused(name, f"cannot be read as Parquet, it may be cut off or damaged: {fault}") from fault
    return differences


def _check_groups(groups: list[dict[int, Any]], rows: int, leaves: int) -> list[dict[int, Any]]:
    """Return the row groups; they hold the ``rows`` that the file claims, each in all columns."""
    if rows != sum(_count(group, _GROUP_ROWS) for group in groups):
        raise DamagedError("its row groups do not hold the rows that it claims")
    if any(len(_structs(group, _GROUP_COLUMNS)) != leaves for group in groups):
        raise DamagedError("a row group does not have all columns")
    return groups


def _read_footer(file: BinaryIO) -> tuple[int, dict[int, Any]]:
    """Return the file's size and its footer: a struct, its length in four bytes, and the magic bytes."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if len(tail) < 8 or tail[4:] != b"PAR1" or not 0 < length <= min(size - 12, MAX_FOOTER_BYTES):
        raise DamagedError("it has no footer")
    file.seek(size - 8 - length)
    return size, _Compact(file.read(length)).struct(0)


def _structs(fields: dict[int, Any], number: int) -> list[dict[int, Any]]:
    """Return the field of that number, which is a list of structs."""
    found = fields.get(number)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DamagedError("its footer lacks a list")
    return found


def _struct(fields: dict[int, Any], number: int) -> dict[int, Any]:
    """Return the field of that number, which is a struct."""
    found = fields.get(number)
    if not isinstance(found, dict):
        raise DamagedError("its footer does not describe a column")
    return found


def _path(chunk: dict[int, Any]) -> str:
    parts = chunk.get(_CHUNK_PATH)
    if not isinstance(parts, list) or not parts or not all(isinstance(part, bytes) for part in parts):
        raise DamagedError("its footer does not name a column")
    return b".".join(parts).decode("utf-8", errors="replace")


def _check_chunk(file: BinaryIO, chunk: dict[int, Any], rows: int, size: int, name: str) -> int:
    """Check the pages of one column; return the largest one's size if one of them stores differences, otherwise 0."""
    column, start = _path(chunk), _count(chunk, _CHUNK_DATA)
    dictionary = chunk.get(_CHUNK_DICTIONARY)
    if isinstance(dictionary, int) and 0 < dictionary < start:
        start = dictionary
    end = start + _count(chunk, _CHUNK_BYTES)
    if not 0 < start <= end <= size or _count(chunk, _CHUNK_VALUES) != rows:
        raise DamagedError(f"column {column} is not where its footer says")
    values, largest, has_differences = 0, 0, False
    for page in _pages(file, start, end):
        limit = max(MAX_PAGE_FREE_BYTES, MAX_PAGE_RATIO * page.packed)
        if page.unpacked > limit or (page.kind == _DICTIONARY and page.values > limit):
            raise FileRefused(
                name,
                f"claims a page of {page.unpacked / 2**20:,.0f} MB in {page.packed:,} bytes (column "
                f"{column}): write it with smaller pages",
            )
        values += page.values if page.kind in (_DATA, _DATA_V2) else 0
        if values > rows:
            raise DamagedError(f"column {column} has more values than rows")
        largest = max(largest, page.unpacked)
        has_differences |= page.encoding in _DELTAS
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
        raise DamagedError("a number is missing")
    return value


class _Compact:
    """Reads Thrift's compact protocol: structs by field number, texts as bytes, lists; maps as lists."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def struct(self, depth: int) -> dict[int, Any]:
        """Read a struct."""
        if depth > _MAX_DEPTH:
            raise DamagedError("a struct is nested too deeply")
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
                size = self._varint()
                self._skip(size)
                value = self._data[self.position - size : self.position]
            case 9 | 10:
                head = self._byte()
                value = self._items([head & 15], head >> 4 if head >> 4 != 15 else self._varint(), depth)
            case 11:
                count = self._varint()
                kinds = self._byte() if count else 0
                self._items([kinds >> 4, kinds & 15], count, depth)
            case 12:
                value = self.struct(depth + 1)
            case _:
                raise DamagedError("it is no struct")
        return value

    def _items(self, kinds: list[int], count: int, depth: int) -> list[Any]:
        if count > len(self._data) or depth > _MAX_DEPTH:
            raise DamagedError("a list is longer than its file")
        # In lists a boolean takes a byte.
        return [
            self._byte() if kind in (1, 2) else self._value(kind, depth + 1) for _ in range(count) for kind in kinds
        ]

    def _byte(self) -> int:
        if self.position >= len(self._data):
            raise DamagedError("a struct is cut off")
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
                raise DamagedError("a number is too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, size: int) -> None:
        if size > len(self._data) - self.position:
            raise DamagedError("a struct is cut off")
        self.position += size
