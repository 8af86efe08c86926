from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.samples.tables import TableWriter

RATINGS = pd.DataFrame(
    {"userId": [1, 2], "movieId": [10, 20], "rating": [4.0, 0.5], "timestamp": [978300760, 978300761]}
)
MOVIES = pd.DataFrame({"movieId": [1], "title": ['A, "B" (1990)'], "genres": ["Drama|War"]})


def test_csv_looks_as_movielens_writes_it(tmp_path: Path) -> None:
    for name, frame in (("ratings", RATINGS), ("movies", MOVIES)):
        with TableWriter(tmp_path / f"{name}.csv") as file:
            file.write(frame)
    assert (tmp_path / "ratings.csv").read_text() == (
        "userId,movieId,rating,timestamp\n1,10,4.0,978300760\n2,20,0.5,978300761\n"
    )
    assert (tmp_path / "movies.csv").read_text() == 'movieId,title,genres\n1,"A, ""B"" (1990)",Drama|War\n'


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_chunks_are_one_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ratings{suffix}"
    with TableWriter(path) as file:
        file.write(RATINGS)
        file.write(RATINGS)
    read = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(read, pd.concat([RATINGS, RATINGS], ignore_index=True))


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    with TableWriter(path) as file:
        file.write(RATINGS)
        beside = [other.name for other in tmp_path.iterdir()]
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.csv"]
    assert len(beside) == 1
    assert beside[0].startswith(".")


def test_an_interrupted_file_leaves_nothing(tmp_path: Path) -> None:
    def write_and_stop() -> None:
        with TableWriter(tmp_path / "ratings.csv") as file:
            file.write(RATINGS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert list(tmp_path.iterdir()) == []
