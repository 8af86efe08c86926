import hashlib
from pathlib import Path

import pytest

from cinematch_assets.samples.movielens_folder import open_movielens_folder
from cinematch_assets.samples.sample import MOVIELENS_LATEST_LICENCE, SampleError


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_folder_with_both_tables_is_taken_as_it_is(tmp_path: Path, suffix: str) -> None:
    for table in ("movies", "ratings"):
        (tmp_path / f"{table}{suffix}").touch()
    sample = open_movielens_folder(tmp_path, tmp_path / "cache")
    assert (sample.name, sample.folder) == (tmp_path.name, tmp_path)
    assert "README" in sample.licence


def test_the_files_of_a_known_set_bring_their_own_terms(tmp_path: Path) -> None:
    pins = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("movies.csv", "ratings.csv")}
    for name in pins:
        (tmp_path / name).write_text(name)
    assert open_movielens_folder(tmp_path, tmp_path / "cache", latest_small=pins).licence == MOVIELENS_LATEST_LICENCE
    (tmp_path / "ratings.csv").write_text("another")
    assert open_movielens_folder(tmp_path, tmp_path / "cache", latest_small=pins).licence != MOVIELENS_LATEST_LICENCE


def test_dat_files_become_csv_beside_and_not_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    movies = '1::Toy Story (1995)::Animation|Children\'s\n73::Misérables, Les (1995)::Drama\n9::A "B" (1990)::Drama\n'
    (folder / "movies.dat").write_bytes(movies.encode("latin-1"))
    (folder / "ratings.dat").write_bytes(b"1::73::5::978300760\r\n6040::1::3.5::978302109\r\n")
    sample = open_movielens_folder(folder, tmp_path / "cache")
    assert sample.name == "ml-1m"
    assert (sample.folder / "movies.csv").read_text().splitlines() == [
        "movieId,title,genres",
        "1,Toy Story (1995),Animation|Children's",
        '73,"Misérables, Les (1995)",Drama',
        '9,"A ""B"" (1990)",Drama',
    ]
    assert (sample.folder / "ratings.csv").read_text() == (
        "userId,movieId,rating,timestamp\n1,73,5,978300760\n6040,1,3.5,978302109\n"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["movies.dat", "ratings.dat"]
    assert open_movielens_folder(folder, tmp_path / "cache") == sample


def test_dat_files_that_changed_are_converted_again(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_text("1::Heat (1995)::Crime\n")
    (tmp_path / "ratings.dat").write_text("1::1::5::978300760\n")
    before = open_movielens_folder(tmp_path, tmp_path / "cache")
    (tmp_path / "ratings.dat").write_text("1::1::4::978300760\n")  # a correction of the same length
    after = open_movielens_folder(tmp_path, tmp_path / "cache")
    assert (after.folder / "ratings.csv").read_text().splitlines()[1] == "1,1,4,978300760"
    assert before.folder != after.folder


@pytest.mark.parametrize(
    ("encoding", "note"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("latin-1", "Latin-1"), ("cp1252", "Latin-1")]
)
def test_dat_files_are_utf_8_if_they_decode_and_otherwise_latin_1(tmp_path: Path, encoding: str, note: str) -> None:
    lines = [f"{number}::Movie {number} (1950)::Drama" for number in range(2, 40_000)]
    movies = "\n".join(["1::Misérables, Les (1995)::Drama|Musical", *lines, "40000::Él (1953)::Drama"])
    (tmp_path / "movies.dat").write_bytes(movies.encode(encoding))
    (tmp_path / "ratings.dat").write_text("1::1::5::978300760\n")
    for _ in range(2):
        sample = open_movielens_folder(tmp_path, tmp_path / "cache")
        assert sample.note == f"movies.dat is read as {note}; ratings.dat is read as UTF-8"
    converted = (sample.folder / "movies.csv").read_text(encoding="utf-8").splitlines()
    assert converted[1] == '1,"Misérables, Les (1995)",Drama|Musical'
    assert converted[-1] == "40000,Él (1953),Drama"


@pytest.mark.parametrize("missing", ["movies", "ratings"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    for table in {"movies", "ratings"} - {missing}:
        (tmp_path / f"{table}.csv").touch()
    with pytest.raises(SampleError, match=rf"has no {missing}\.csv, {missing}\.csv\.gz or {missing}\.parquet\.$"):
        open_movielens_folder(tmp_path, tmp_path / "cache")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"nowhere is not a folder; the data is ml-100k, ml-latest-small"):
        open_movielens_folder(tmp_path / "nowhere", tmp_path / "cache")
