"""Small files that unpack, claim or nest to more than memory holds: refused in a sentence, in little memory.

Each is read in a process of its own, after an ordinary file of its kind; what the peak grows by is the bomb's.
"""

import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cinematch_assets_tests.reading.test_damaged_files import KINDS, MAX_EXTRA_MB, parquet, ratings_table
from cinematch_assets_tests.support.rating_files import HEADER

pytestmark = [
    pytest.mark.faults("bombs"),
    pytest.mark.slow,
    pytest.mark.timeout(1_500),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc"),
]
GB, MB = 2**30, 2**20
CPU_S = 120
READ = """
import json, sys, time
from pathlib import Path
from cinematch_assets.errors import CinematchError
from cinematch_assets_tests.reading.test_damaged_files import KINDS

def peak_kb():  # of this process alone; ru_maxrss begins with that of the one that started it
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

kind, ordinary, bomb = sys.argv[1:]
read = KINDS[kind][2]
read(Path(ordinary))
before, start, said = peak_kb(), time.process_time(), None
try:
    read(Path(bomb))
except CinematchError as refused:
    said = str(refused)
extra_mb = (peak_kb() - before) / 1024
print(json.dumps({"said": said, "extra_mb": extra_mb, "cpu_s": time.process_time() - start}))
"""


def _varint(number: int) -> bytes:
    zigzag, found = number << 1, b""
    while zigzag > 127:
        found += bytes([zigzag & 127 | 128])
        zigzag >>= 7
    return found + bytes([zigzag])


def _claiming(rows: int, in_page: int) -> bytes:
    """Parquet of 1,237 rows whose footer and pages claim others; 1,237 is no other number in it."""
    table = ratings_table().slice(0, 1).take(pa.array([0] * 1_237))
    content = parquet(table, compression="none")
    size = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - size : -8].replace(_varint(1_237), _varint(rows))
    pages = content[: -8 - size].replace(_varint(1_237), _varint(in_page))
    return pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _hundred_million_rows() -> bytes:
    out, part = io.BytesIO(), ratings_table().slice(0, 1).take(pa.array(np.zeros(MB, dtype=np.int32)))
    with pq.ParquetWriter(out, part.schema, compression="zstd") as writer:
        for _ in range(96):
            writer.write_table(part)
    return out.getvalue()


def _long_title() -> bytes:
    table = pa.table({"movieId": [1], "title": ["a" * (512 * MB)], "genres": ["Drama"]})
    return parquet(table, compression="zstd", use_dictionary=False, write_statistics=False)


def _gzip(first: bytes, repeated: bytes, size: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed:
        packed.write(first)
        piece = repeated * (MB // len(repeated))
        for _ in range(size // len(piece)):
            packed.write(piece)
    return out.getvalue()


def _artifact(compression: int, shape: str, size: int) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression, compresslevel=1) as archive:
        archive.writestr("facts.json", b"{}")
        with archive.open("a.npy", "w", force_zip64=True) as entry:
            entry.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
            for _ in range(size // MB):
                entry.write(bytes(MB))
    return out.getvalue()


def _doubled_keys() -> bytes:
    return b"[{" + b",".join([b'"title":"x"'] * 340_000) + b"}]"


CSV = HEADER.encode() + b"\n"
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "4 kB of Parquet that claim 40 GB": ("ratings as Parquet", lambda: _claiming(5_000_000_000, 2**31 - 1)),
    "rows of a footer that no page has": ("ratings as Parquet", lambda: _claiming(5_000_000_000, 1_237)),
    "100 million rows in a small Parquet": ("ratings as Parquet", _hundred_million_rows),
    "a title of 512 MB in a small Parquet": ("movies as Parquet", _long_title),
    "an endless row of 300 MB": ("ratings as CSV", lambda: CSV + b"1" * (300 * MB)),
    "an open quote of 300 MB": ("movies as CSV", lambda: b'movieId,title,genres\n1,"' + b"a\n" * (150 * MB)),
    "2 GB of rows in gzip": ("ratings as compressed CSV", lambda: _gzip(CSV, b"1,10,4.0,1000000000\n", 2 * GB)),
    "2 GB of one row in gzip": ("ratings as compressed CSV", lambda: _gzip(CSV, b"1", 2 * GB)),
    "a key that comes 340,000 times": ("the collection as JSON", _doubled_keys),
    "brackets 4 million deep": ("the collection as JSON", lambda: b"[" * (4 * MB - 1)),
    "a number of 4 MB": ("the collection as JSON", lambda: b'[{"title": "x", "year": ' + b"9" * (4 * MB - 100) + b"}]"),
    "JSON of 300 MB": ("the collection as JSON", lambda: b"[" + b" " * (300 * MB) + b"]"),
    "a deflated array of 2 GB": ("a model", lambda: _artifact(zipfile.ZIP_DEFLATED, f"({GB // 4},)", 2 * GB)),
    "an array that claims 2 GB": ("a model", lambda: _artifact(zipfile.ZIP_STORED, f"({GB // 4},)", 0)),
    "a zero-length array of endless width": (
        "a model",
        lambda: _artifact(zipfile.ZIP_STORED, "(0, 4611686018427387904)", 0),
    ),
}


@pytest.fixture(params=BOMBS)
def bomb(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path, Path]]:
    """The kind, an ordinary file of it, and the bomb; no gigabyte stays behind."""
    kind, make = BOMBS[request.param]
    name, make_ordinary, _ = KINDS[kind]
    ordinary, path = tmp_path / f"ordinary_{name}", tmp_path / name
    ordinary.write_bytes(make_ordinary())
    path.write_bytes(make())
    yield kind, ordinary, path
    path.unlink()


def test_it_is_refused_in_a_sentence_and_at_most_400_mb(bomb: tuple[str, Path, Path]) -> None:
    kind, ordinary, path = bomb
    words = [sys.executable, "-c", READ, kind, str(ordinary), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    size, extra_mb, cpu_s, said = path.stat().st_size, found["extra_mb"], found["cpu_s"], found["said"]
    sys.stdout.write(f"{size:>11,} bytes, {extra_mb:4.0f} MB, {cpu_s:5.1f} s: {said}\n")
    assert extra_mb <= MAX_EXTRA_MB
    assert cpu_s < CPU_S
    if kind != "the collection as JSON":  # a movie of a list that does not fit is rejected, and the file is read
        assert said
        assert "\n" not in said
