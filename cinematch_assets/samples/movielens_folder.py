"""Open a folder with MovieLens files: CSV or Parquet as they are, ``.dat`` files of older sets converted.

Here: recognizing the folder, and the conversion. Not here: validating rows (``reading``).
"""

import codecs
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cinematch_assets.samples.ml_latest_small import SHA256
from cinematch_assets.samples.sample import (
    MOVIELENS_FOLDER_LICENCE,
    MOVIELENS_LATEST_LICENCE,
    Sample,
    SampleError,
    sha256_of,
    table_file,
)
from cinematch_assets.storage.atomic_file import unfinished_folder
from cinematch_assets.table_names import expected_names

_ENCODINGS = "encodings.json"
"""Beside converted files: how their sources were read."""
_PIECE_BYTES = 1 << 20
DAT_HEADERS = {"movies": "movieId,title,genres", "ratings": "userId,movieId,rating,timestamp"}


def open_movielens_folder(folder: Path, cache: Path, *, latest_small: Mapping[str, str] = SHA256) -> Sample:
    """Open a folder with ``movies`` and ``ratings`` as CSV or Parquet, or as ``.dat`` (MovieLens 1M and 10M).

    ``.dat`` files are rewritten as CSV under ``cache``; the folder itself is never written to. A folder with
    the hashes in ``latest_small`` is MovieLens latest-small, and has its terms.

    Raises:
        SampleError: No such folder, or one of the two tables is missing.
        SeveralTableFilesError: One of the two tables is there twice.
    """
    if not folder.is_dir():
        raise SampleError(f"{folder} is not a folder; the data is ml-100k, ml-latest-small, synthetic or a folder.")
    if all((folder / f"{table}.dat").is_file() for table in DAT_HEADERS):
        return _convert_dat_folder(folder, cache)
    for table in DAT_HEADERS:
        if table_file(folder, table) is None:
            raise SampleError(f"{folder} has no {expected_names(table)}.")
    if _has_hashes(folder, latest_small):
        return Sample("ml-latest-small", folder, MOVIELENS_LATEST_LICENCE)
    return Sample(folder.resolve().name, folder, MOVIELENS_FOLDER_LICENCE)


def _has_hashes(folder: Path, sha256: Mapping[str, str]) -> bool:
    """Return whether the folder's tables have these hashes."""
    names = ("movies.csv", "ratings.csv")  # the small file first: it rules out nearly every other folder
    return all((folder / name).is_file() and sha256_of(folder / name) == sha256[name] for name in names)


def _convert_dat_folder(folder: Path, cache: Path) -> Sample:
    """Convert a ``.dat`` folder to CSV, once for each path and content of its files."""
    contents = [sha256_of(folder / f"{table}.dat") for table in DAT_HEADERS]
    key = hashlib.sha256(f"{folder.resolve()}:{contents}".encode()).hexdigest()[:12]
    target = cache / f"{folder.resolve().name}-{key}"
    if not target.is_dir():
        with unfinished_folder(target) as unfinished:
            encodings = {
                f"{table}.dat": convert_dat(folder / f"{table}.dat", unfinished / f"{table}.csv", header)
                for table, header in DAT_HEADERS.items()
            }
            (unfinished / _ENCODINGS).write_text(json.dumps(encodings))
    encodings = json.loads((target / _ENCODINGS).read_text())
    note = "; ".join(f"{name} is read as {encoding}" for name, encoding in encodings.items())
    return Sample(folder.resolve().name, target, MOVIELENS_FOLDER_LICENCE, note)


def convert_dat(source: Path, target: Path, header: str) -> str:
    """Rewrite lines such as ``1::Toy Story (1995)::Comedy`` as CSV, in constant memory; return its encoding."""
    encoding = dat_encoding(source)
    codec = {"UTF-8": "utf-8-sig", "Latin-1": "latin-1"}[encoding]
    with source.open(encoding=codec, newline=None) as lines, target.open("w", encoding="utf-8", newline="") as out:
        out.write(header + "\n")
        for line in lines:
            fields = line.rstrip("\n").split("::")
            out.write(",".join(_quoted(field) for field in fields) + "\n")
    return encoding


def dat_encoding(source: Path) -> str:
    """Return ``UTF-8``, as MovieLens 10M has it, when all of the file decodes as such; otherwise ``Latin-1``."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with source.open("rb") as file:
            for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "Latin-1"
    return "UTF-8"


def _quoted(field: str) -> str:
    """Return a CSV field, quoted when it has to be."""
    return '"' + field.replace('"', '""') + '"' if '"' in field or "," in field else field
