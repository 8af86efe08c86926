"""Damaged files of every kind: each is read or refused in one sentence, whatever was damaged."""

import gzip
import hashlib
import io
import json
import random
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.reading.collection import CollectionFile, read_collection
from cinematch_assets.reading.movies import read_movies
from cinematch_assets.reading.ratings import read_ratings
from cinematch_assets.reading.results import RejectionLimit
from cinematch_assets.recommender.artifact import pack, unpack
from cinematch_assets_tests.support.rating_files import HEADER

MAX_EXTRA_MB = 400
LIMIT = RejectionLimit()
Reading = Callable[[Path], object]


def ratings_csv() -> bytes:
    rows = (f"{n % 40 + 1},{n},{n % 10 / 2 + 0.5},{10**9 + n}\n" for n in range(1, 300))
    return (HEADER + "\n" + "".join(rows)).encode()


def movies_csv() -> bytes:
    rows = (f'{n},"Movie ""{n}"", Le (19{n % 90 + 10})",Drama|Comedy\n' for n in range(1, 200))
    return ("movieId,title,genres\n" + "".join(rows)).encode()


def parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def ratings_table(**types: pa.DataType) -> pa.Table:
    columns = {
        "userId": pa.array([n % 40 + 1 for n in range(400)]),
        "movieId": pa.array(range(1, 401)),
        "rating": pa.array([n % 10 / 2 + 0.5 for n in range(400)]),
        "timestamp": pa.array(range(10**9, 10**9 + 400)),
    }
    return pa.table({name: column.cast(types.get(name, column.type)) for name, column in columns.items()})


def movies_table() -> pa.Table:
    titles = [f"A movie of which the title is {n}" for n in range(300)]
    return pa.table({"movieId": range(1, 301), "title": titles, "genres": ["Drama|Comedy", None, "Crime"] * 100})


def movie_json() -> bytes:
    movie = {"title": "Amélie", "genre": "Romance", "rating": 8.3, "year": 2001, "cast": [{"name": "x"}] * 3}
    return json.dumps([movie] * 10, ensure_ascii=False).encode()


def read_artifact(path: Path) -> object:
    data = path.read_bytes()
    return unpack(data, hashlib.sha256(data).hexdigest())


def read_ratings_file(path: Path) -> object:
    return read_ratings(path, known_movies=np.arange(1, 500, dtype=np.int32), limit=LIMIT)


def read_movies_file(path: Path) -> object:
    return read_movies(path, limit=LIMIT)


def read_collection_file(path: Path) -> object:
    return read_collection([CollectionFile("1", path, path.name)])


KINDS: dict[str, tuple[str, Callable[[], bytes], Reading]] = {
    "ratings as CSV": ("r.csv", ratings_csv, read_ratings_file),
    "movies as CSV": ("m.csv", movies_csv, read_movies_file),
    "ratings as compressed CSV": ("r.csv.gz", lambda: gzip.compress(ratings_csv(), mtime=0), read_ratings_file),
    "ratings as Parquet": ("r.parquet", lambda: parquet(ratings_table()), read_ratings_file),
    "plain Parquet": (
        "r.parquet",
        lambda: parquet(ratings_table(), use_dictionary=False, compression="none"),
        read_ratings_file,
    ),
    "Parquet of other types": (
        "r.parquet",
        lambda: parquet(
            ratings_table(userId=pa.string(), rating=pa.decimal128(3, 1), timestamp=pa.timestamp("s")),
            data_page_version="2.0",
            compression="zstd",
        ),
        read_ratings_file,
    ),
    "movies as Parquet": ("m.parquet", lambda: parquet(movies_table()), read_movies_file),
    "Parquet of differences": (
        "m.parquet",
        lambda: parquet(
            movies_table(),
            use_dictionary=False,
            column_encoding={
                "movieId": "DELTA_BINARY_PACKED",
                "title": "DELTA_BYTE_ARRAY",
                "genres": "DELTA_LENGTH_BYTE_ARRAY",
            },
        ),
        read_movies_file,
    ),
    "the collection as JSON": ("c.json", movie_json, read_collection_file),
    "the collection as CSV": (
        "c.csv",
        lambda: b"title,genre,rating,year\n" + b'"Twins, The",Comedy,5.5,1988\n' * 50,
        read_collection_file,
    ),
    "a model": (
        "model",
        lambda: pack({"a": np.arange(60.0).reshape(6, 10), "b": np.ones(7, np.float32)}, {"format": 4}),
        read_artifact,
    ),
}


def damage(content: bytes, chance: random.Random) -> bytes:
    """Damage bytes in one of the ways that disks, networks and attackers have."""
    data = bytearray(content)
    near_end = chance.random() < 0.4  # where Parquet and zip keep what they claim
    first = max(0, len(data) - 900) if near_end else 0
    at = chance.randrange(first, len(data))
    match chance.randrange(6):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            for _ in range(chance.randrange(1, 30)):
                data[chance.randrange(first, len(data))] = chance.randrange(256)
        case 2:
            del data[at:]
        case 3:
            del data[at : at + chance.randrange(1, 64)]
        case 4:
            data[at:at] = chance.choice([b"\0", b"\xff", b"\n", b'"', bytes(chance.randbytes(16))]) * chance.randrange(
                1, 9
            )
        case 5:
            data[at : at + 8] = chance.choice([b"\xff" * 8, b"\x7f" * 8, b"\x80" * 8, bytes(8)])
    return bytes(data)


def read_damaged(folder: Path, kind: str, count: int, seed: int) -> int:
    """Read ``count`` damaged files of a kind; return how many were refused.

    Anything but a result or an error meant for people is raised.
    """
    name, make, read = KINDS[kind]
    content, refused = make(), 0
    read_file = folder / name
    read_file.write_bytes(content)
    read(read_file)
    chance = random.Random(f"{kind} {seed}")  # noqa: S311 - the same damage each time
    for number in range(count):
        read_file.write_bytes(damage(content, chance))
        try:
            read(read_file)
        except CinematchError as said:
            refused += 1
            assert "\n" not in str(said)  # noqa: PT017 - either may happen
        except Exception as raw:
            raise AssertionError(f"{kind}, seed {seed}, number {number}: {raw!r}") from raw
    return refused


@pytest.mark.faults("damaged-files")
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(
    tmp_path: Path, kind: str, figure: Callable[[str], None]
) -> None:
    refused = read_damaged(tmp_path, kind, 30, seed=1)
    figure(f"{kind}: {refused} of 30 refused")


@pytest.mark.faults("damaged-files")
@pytest.mark.slow
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_damaged_files_are_read_or_refused(
    tmp_path: Path, kind: str, figure: Callable[[str], None]
) -> None:
    read_damaged(tmp_path, kind, 10, seed=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = 5_000 // len(KINDS) + 1
    figure(f"{kind}: {read_damaged(tmp_path, kind, count, seed=2):,} of {count:,} refused")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_EXTRA_MB * 1024
