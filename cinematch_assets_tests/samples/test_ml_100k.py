import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.samples import ml_100k
from cinematch_assets.samples.ml_100k import fetch_ml_100k, movielens_movies, movielens_ratings
from cinematch_assets.samples.sample import SampleError, sha256_of

ITEMS = """item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
1\tToy Story\t1995\tAnimation Children's Comedy
267\tunkonwn\tunkonwn\tunknown
1006\tDouble vie de Véronique, La\t1991\tSci-Fi
1412\tLand Before Time III: The Time of the Great Giving (1995)\tV\tAnimation Children's
1682\tThe "Best" of None\t1994\tFilm-Noir
""".encode()
INTERACTIONS = b"""user_id:token\titem_id:token\trating:float\ttimestamp:float
196\t267\t3\t881250949
186\t1\t5\t891717742
"""


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which pip finds packages, with a small wheel of the right name."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = folder / "recbole-1.2.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{ml_100k.FOLDER_IN_WHEEL}/ml-100k.item", ITEMS)
        archive.writestr(f"{ml_100k.FOLDER_IN_WHEEL}/ml-100k.inter", INTERACTIONS)
        archive.writestr("recbole-1.2.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n")
        archive.writestr("recbole-1.2.1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("recbole-1.2.1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_titles_and_genres_come_back_as_in_movielens() -> None:
    assert movielens_movies(ITEMS).to_numpy().tolist() == [
        [1, "Toy Story (1995)", "Animation|Children's|Comedy"],
        [267, "unknown", "(no genres listed)"],
        [1006, "Double vie de Véronique, La (1991)", "Sci-Fi"],
        [1412, "Land Before Time III: The Time of the Great Giving (1995) (V)", "Animation|Children's"],
        [1682, 'The "Best" of None (1994)', "Film-Noir"],
    ]


def test_ratings_keep_their_order_and_values() -> None:
    assert movielens_ratings(INTERACTIONS).to_numpy().tolist() == [[196, 267, 3, 881250949], [186, 1, 5, 891717742]]


def test_the_second_fetch_needs_nothing_from_outside(tmp_path: Path, wheels: Path) -> None:
    sha256 = sha256_of(next(wheels.iterdir()))
    sample = fetch_ml_100k(tmp_path / "cache", sha256=sha256)
    first = (sample.folder / "ratings.csv").read_bytes()
    for wheel in wheels.iterdir():
        wheel.unlink()
    assert fetch_ml_100k(tmp_path / "cache", sha256=sha256) == sample
    assert (sample.folder / "ratings.csv").read_bytes() == first
    assert first.splitlines()[:2] == [b"userId,movieId,rating,timestamp", b"196,267,3.0,881250949"]
    assert "Harper and J. A. Konstan" in sample.licence
    assert (sample.folder / "LICENCE.txt").read_text() == sample.licence + "\n"


def test_a_wheel_with_another_hash_is_not_read(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(
        SampleError, match=r"recbole-1\.2\.1-py3-none-any\.whl: its sha256 is [0-9a-f]{64}, not the 000"
    ):
        fetch_ml_100k(tmp_path / "cache", sha256="0" * 64)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_network_is_reported_in_one_line(tmp_path: Path, wheels: Path) -> None:
    for wheel in wheels.iterdir():
        wheel.unlink()
    with pytest.raises(SampleError, match=r"pip could not download recbole==1\.2\.1 \(No matching") as caught:
        fetch_ml_100k(tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert "synthetic" in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_python_without_pip_is_reported_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')  # without site-packages, so without pip
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(SampleError, match=r"has no pip to fetch it with; run `.*/python -m ensurepip`"):
        fetch_ml_100k(tmp_path / "cache")


def test_a_download_that_hangs_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    with pytest.raises(SampleError, match=r"did not download recbole==1\.2\.1 within 0\.2 s"):
        fetch_ml_100k(tmp_path / "cache", timeout_s=0.2)


@pytest.mark.slow
def test_the_real_set_is_the_known_one(tmp_path: Path) -> None:
    sample = fetch_ml_100k(tmp_path)
    ratings, movies = (pd.read_csv(sample.folder / f"{table}.csv") for table in ("ratings", "movies"))
    assert (len(ratings), ratings["userId"].nunique(), len(movies)) == (100_000, 943, 1_682)
    assert round(ratings["rating"].mean(), 5) == 3.52986
    assert ratings["rating"].value_counts().sort_index().tolist() == [6110, 11370, 27145, 34174, 21201]
    assert movies["title"].str.fullmatch(r".*\([0-9]{4}\)( \(V\))?|unknown").all()
