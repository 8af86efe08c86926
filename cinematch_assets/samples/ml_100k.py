"""MovieLens 100K: 100,000 real ratings by 943 users of 1,682 movies, 1997 to 1998.

The set may not be redistributed, so it is fetched when it is asked for. A package that ships it as its example is
downloaded by pip, from wherever this machine's packages come from, and read as the zip file that it is: nothing of it
is installed or run.

Here: the fetch and the conversion to MovieLens CSV. Not here: the terms (``sample``).
"""

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from cinematch_assets.movielens import NO_GENRES
from cinematch_assets.samples.sample import MOVIELENS_100K_LICENCE, Sample, SampleError, atomic_folder, sha256_of

REQUIREMENT = "recbole==1.2.1"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
FOLDER_IN_WHEEL = "recbole/dataset_example/ml-100k"
PIP_TIMEOUT_S = 300


def fetch_ml_100k(cache: Path) -> Sample:
    """MovieLens 100K under ``cache/ml-100k``; the second time it needs no network.

    Raises:
        SampleError: No pip, no network, or a wheel that is not the one we know.
    """
    folder = cache / "ml-100k"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory() as downloads, atomic_folder(folder) as filling:
            convert_wheel(download_wheel(Path(downloads)), filling)
            (filling / "LICENCE.txt").write_text(MOVIELENS_100K_LICENCE + "\n")
    return Sample("ml-100k", folder, MOVIELENS_100K_LICENCE)


def download_wheel(target: Path) -> Path:
    """The wheel that carries the set, downloaded by pip into ``target`` and checked against the hash we know."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(target), REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise SampleError(f"ml-100k: pip did not download {REQUIREMENT} within {PIP_TIMEOUT_S} s.") from None
    wheels = sorted(target.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise SampleError(f"ml-100k: {_reason_of_pip(done.stderr)}")
    verify_sha256(wheels[0], WHEEL_SHA256)
    return wheels[0]


def verify_sha256(path: Path, expected: str) -> None:
    """Refuse a file that is not byte for byte the one we know."""
    found = sha256_of(path)
    if found != expected:
        raise SampleError(f"{path.name}: its sha256 is {found}, not the {expected} that is known; it was not read.")


def convert_wheel(wheel: Path, folder: Path) -> None:
    """Write ``movies.csv`` and ``ratings.csv`` from the set inside a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        items = archive.read(f"{FOLDER_IN_WHEEL}/ml-100k.item")
        ratings = archive.read(f"{FOLDER_IN_WHEEL}/ml-100k.inter")
    movielens_movies(items).to_csv(folder / "movies.csv", index=False)
    movielens_ratings(ratings).to_csv(folder / "ratings.csv", index=False)


def movielens_movies(items: bytes) -> pd.DataFrame:
    """``movieId, title, genres`` from tab-separated id, title, release year and genres with blanks between.

    The year goes back to the title's end, where MovieLens had it: "Toy Story (1995)". One movie is known to MovieLens
    itself as "unknown", which this copy misspells.
    """
    names = ["movieId", "title", "year", "genres"]
    table = pd.read_csv(
        io.BytesIO(items), sep="\t", names=names, skiprows=1, dtype=str, keep_default_na=False, quoting=3
    )
    known = table["title"] != "unkonwn"
    titles = (table["title"] + " (" + table["year"] + ")").where(known, "unknown")
    genres = table["genres"].str.replace(" ", "|").replace({"unknown": NO_GENRES, "": NO_GENRES})
    return pd.DataFrame({"movieId": table["movieId"].astype("int32"), "title": titles, "genres": genres})


def movielens_ratings(interactions: bytes) -> pd.DataFrame:
    """``userId, movieId, rating, timestamp`` from the same columns, tab-separated, in the order of the file."""
    names = ["userId", "movieId", "rating", "timestamp"]
    types = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
    return pd.read_csv(io.BytesIO(interactions), sep="\t", names=names, skiprows=1, dtype=types)


def _reason_of_pip(stderr: str) -> str:
    """The last thing pip complained of, in a sentence that says what else can be done."""
    instead = "name a folder with MovieLens files or `synthetic` as the data instead"
    if "No module named pip" in stderr:
        return f"{sys.executable} has no pip to fetch it with; run `{sys.executable} -m ensurepip`, or {instead}."
    errors = [line.removeprefix("ERROR:").strip() for line in stderr.splitlines() if line.startswith("ERROR:")]
    said = errors[-1] if errors else "it gave no reason"
    return f"pip could not download {REQUIREMENT} ({said}); check the network and pip's settings, or {instead}."
