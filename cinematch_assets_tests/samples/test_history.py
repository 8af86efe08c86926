from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.samples.history import RATING_TYPES, read_history, read_valid_rows
from cinematch_assets.samples.sample import SampleError

HEADER = "userId,movieId,rating,timestamp\n"


def make_folder(path: Path, ratings: str = "1,10,4.0,978300760\n") -> Path:
    (path / "batches").mkdir(parents=True)
    (path / "movies.csv").write_text('movieId,title,genres\n10,"Heat, ""really""\n(1995)",Crime\n20,B (1990),Drama\n')
    (path / "ratings.csv").write_text(HEADER + ratings)
    return path


def test_batches_are_read_by_name_and_in_order(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "drive")
    (folder / "batches" / "batch_w1.csv").write_text(HEADER + "1,20,3.5,978300761\n")
    frame = pd.DataFrame({"userId": [2], "movieId": [10], "rating": [1.0], "timestamp": [978300762]})
    frame.to_parquet(folder / "batches" / "batch_w2.parquet")
    for ignored in (".batch_w3.csv.7.part", "notes.txt"):
        (folder / "batches" / ignored).touch()
    history = read_history(folder)
    assert history.batch_ids == ("batch_w1", "batch_w2")
    assert history.movie_ids.tolist() == [10, 20]
    assert history.ratings.to_numpy().tolist() == [[1, 10, 4.0, 978300760]]
    assert history.batches.to_numpy().tolist() == [[1, 20, 3.5, 978300761], [2, 10, 1.0, 978300762]]


def test_invalid_rows_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    rows = [
        "1,10,4.0,9",
        "2.7,10,4,9",
        "x,10,4,9",
        "3,10,,9",
        "4,10,5.5,9",
        "5,10",
        "6,10,4,9,9",
        "0,10,4,9",
        "7,10,nan,9",
    ]
    path.write_text("\ufeff" + HEADER.replace("\n", "\r\n") + "\r\n".join([*rows, "8,20,0.5,10"]) + "\r\n")
    assert read_valid_rows(path, RATING_TYPES).to_numpy().tolist() == [[1, 10, 4.0, 9], [8, 20, 0.5, 10]]


def test_columns_may_be_in_any_order_among_others(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("timestamp,note,rating,movieId,userId\n9,hello,4.0,10,1\n")
    assert read_valid_rows(path, RATING_TYPES).to_numpy().tolist() == [[1, 10, 4.0, 9]]


def test_a_file_without_rows_gives_an_empty_frame(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(HEADER)
    assert read_valid_rows(path, RATING_TYPES).dtypes.astype(str).to_dict() == RATING_TYPES


@pytest.mark.parametrize("content", [b"", b"user,movie\n1,2\n", HEADER.encode("utf-16")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ratings.csv"
    path.write_bytes(content)
    with pytest.raises(SampleError, match=r"ratings\.csv cannot be read: .*\.$"):
        read_valid_rows(path, RATING_TYPES)


def test_a_batch_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    batches = make_folder(tmp_path / "drive") / "batches"
    (batches / "batch_w1.csv").write_text(HEADER + "1,20,3.5,978300761\n")
    (batches / "batch_w2.parquet").write_bytes(b"PAR1 no footer")
    (batches / "batch_w3.csv").mkdir()
    (batches / "batch_w4.csv").write_text("user,movie\n")
    history = read_history(tmp_path / "drive")
    assert history.batches.to_numpy().tolist() == [[1, 20, 3.5, 978300761]]
    assert history.batch_ids == ("batch_w1", "batch_w2", "batch_w3", "batch_w4")
    assert [sentence.partition(" cannot be read: ")[0].rpartition("/")[2] for sentence in history.left_out] == [
        "batch_w2.parquet",
        "batch_w3.csv",
        "batch_w4.csv",
    ]


def test_a_folder_without_ratings_is_named(tmp_path: Path) -> None:
    (make_folder(tmp_path / "drive") / "ratings.csv").unlink()
    with pytest.raises(SampleError, match=r"drive has no ratings\.csv, .* or ratings\.parquet to simulate from"):
        read_history(tmp_path / "drive")
