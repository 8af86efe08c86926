"""MovieLens 100K: 100,000 real ratings by 943 users of 1,682 movies, 1997 to 1998.

The set may not be redistributed, so it is fetched on demand: pip downloads a wheel that contains it as an example, from
the package index that this machine is configured for. The wheel is read as a zip file; nothing of it is installed or
run.

Here: the download and the conversion to MovieLens' CSV. Not here: the terms of use (``sample``).
"""

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from cinematch_assets.movielens import NO_GENRES
from cinematch_assets.samples.sample import MOVIELENS_100K_LICENCE, Sample, SampleError, sha256_of
from cinematch_assets.storage.atomic_file import unfinished_folder

REQUIREMENT = "recbole==1.2.1"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
FOLDER_IN_WHEEL = "recbole/dataset_example/ml-100k"
PIP_TIMEOUT_S = 300


def fetch_ml_100k(cache: Path, *, sha256: str = WHEEL_SHA256, timeout_s: float = PIP_TIMEOUT_S) -> Sample:
    """Return MovieLens 100K in ``cache/ml-100k``; fetch it when it is not there yet.

    Args:
        cache: Where samples are kept.
        sha256: Of the wheel that contains it.
        timeout_s: For pip's download.

    Raises:
        SampleError: No pip, no network, or a wheel with another hash.
    """
    folder = cache / "ml-100k"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory() as downloads, unfinished_folder(folder) as unfinished:
            convert_wheel(download_wheel(Path(downloads), sha256, timeout_s), unfinished)
            (unfinished / "LICENCE.txt").write_text(MOVIELENS_100K_LICENCE + "\n")
    return Sample("ml-100k", folder, MOVIELENS_100K_LICENCE)


def download_wheel(target: Path, sha256: str = WHEEL_SHA256, timeout_s: float = PIP_TIMEOUT_S) -> Path:
    """Download the wheel that contains the set into ``target``, and check its hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(target), REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise SampleError(f"ml-100k: pip did not download {REQUIREMENT} within {timeout_s:g} s.") from None
    wheels = sorted(target.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise SampleError(f"ml-100k: {_pip_failure(done.stderr)}")
    verify_sha256(wheels[0], sha256)
    return wheels[0]


def verify_sha256(path: Path, expected: str) -> None:
    """Raise ``SampleError`` unless the file has this hash."""
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
    """Return ``movieId, title, genres`` from tab-separated id, title, release year and genres separated by blanks.

    The year is appended to the title as in MovieLens: "Toy Story (1995)". One movie is called "unknown" in MovieLens;
    this copy misspells it.
    """
    names = ["movieId", "title", "year", "genres"]
    table = pd.read_csv(
        io.BytesIO(items), sep="\t", names=names, skiprows=1, dtype=str, keep_default_na=False, quoting=3
    )
    is_named = table["title"] != "unkonwn"
    titles = (table["title"] + " (" + table["year"] + ")").where(is_named, "unknown")
    genres = table["genres"].str.replace(" ", "|").replace({"unknown": NO_GENRES, "": NO_GENRES})
    return pd.DataFrame({"movieId": table["movieId"].astype("int32"), "title": titles, "genres": genres})


def movielens_ratings(interactions: bytes) -> pd.DataFrame:
    """Return ``userId, movieId, rating, timestamp`` from the same columns, tab-separated, in file order."""
    names = ["userId", "movieId", "rating", "timestamp"]
    types = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
    return pd.read_csv(io.BytesIO(interactions), sep="\t", names=names, skiprows=1, dtype=types)


def _pip_failure(stderr: str) -> str:
    """Return pip's last error, and what to do instead."""
    instead = "name a folder with MovieLens files or `synthetic` as the data instead"
    if "No module named pip" in stderr:
        return f"{sys.executable} has no pip to fetch it with; run `{sys.executable} -m ensurepip`, or {instead}."
    errors = [line.removeprefix("ERROR:").strip() for line in stderr.splitlines() if line.startswith("ERROR:")]
    error = errors[-1] if errors else "it gave no reason"
    return f"pip could not download {REQUIREMENT} ({error}); check the network and pip's settings, or {instead}."
