"""Files into tables: completely or not at all, once, and every row accounted for."""

from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.ingest.folder_changes import find_folder_changes
from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_batch_file, load_ratings_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.results import FileRefused
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop, load_table, make_platform, rows_of

CATALOGUE = MOVIES + "10,Heat (1995),Action|Crime\n20,Alien (1979),Horror|Sci-Fi\n30,Clue (1985),(no genres listed)\n"
TWENTY_GOOD = "".join(f"{user},10,4.0,1000000000\n" for user in range(1, 21))


@pytest.fixture
def platform(tmp_path: Path, database_url: str) -> Platform:
    """A platform on each Postgres version, with a catalogue of three movies."""
    platform = make_platform(tmp_path, database_url)
    load_table(platform, "movies", CATALOGUE)
    return platform


def test_every_row_read_is_accepted_or_in_the_quarantine(platform: Platform) -> None:
    bad = "1,99,4.0,1000000000\n"  # a movie that the catalogue does not have
    loaded = load_table(platform, "ratings", RATINGS + TWENTY_GOOD + bad)
    assert (loaded.counts.read, loaded.counts.accepted, loaded.counts.rejected) == (21, 20, 1)
    assert rows_of(platform, "SELECT count(*) FROM ratings") == [(20,)]
    ((number, raw, reasons),) = rows_of(platform, "SELECT row_number, raw_row, reasons FROM ops.rejected_rows")
    assert (number, raw) == (21, "1,99,4.0,1000000000")
    assert any("movieId" in reason for reason in reasons)


def test_the_same_content_is_not_loaded_again(platform: Platform) -> None:
    load_table(platform, "ratings", RATINGS + TWENTY_GOOD)
    before = rows_of(platform, "SELECT ctid, xmin FROM ratings ORDER BY userId")
    assert load_table(platform, "ratings", RATINGS + TWENTY_GOOD).load is None
    assert rows_of(platform, "SELECT ctid, xmin FROM ratings ORDER BY userId") == before


def test_a_former_content_that_comes_back_is_loaded_again(platform: Platform) -> None:
    first, second = RATINGS + TWENTY_GOOD, RATINGS + TWENTY_GOOD.replace("4.0", "2.5")
    for content in (first, second, first):
        load_table(platform, "ratings", content)
    assert rows_of(platform, "SELECT DISTINCT rating FROM ratings") == [(4.0,)]


def test_a_refused_file_leaves_the_table_as_it_was(platform: Platform) -> None:
    load_table(platform, "ratings", RATINGS + TWENTY_GOOD)
    with pytest.raises(FileRefused, match=r"ratings\.csv"):
        load_table(platform, "ratings", RATINGS + "1,10,9.0,1000000000\n" * 3 + TWENTY_GOOD)
    assert rows_of(platform, "SELECT count(*), min(rating) FROM ratings") == [(20, 4.0)]
    assert rows_of(platform, "SELECT state FROM ops.files WHERE path = 'ratings.csv' ORDER BY landed_at") == [
        ("loaded",),
        ("refused",),
    ]


def test_ratings_before_movies_say_what_to_do_first(tmp_path: Path, database_url_18: str) -> None:
    empty = make_platform(tmp_path, database_url_18)
    drop(empty, "ratings.csv", RATINGS + TWENTY_GOOD)
    land_table(empty, "ratings")
    with pytest.raises(CinematchError, match="materialize movies"):
        load_ratings_file(empty)


def test_a_batch_is_loaded_once_and_replaced_by_other_content(platform: Platform) -> None:
    first = load_table(platform, "batches/batch_w1", RATINGS + TWENTY_GOOD)
    again = load_table(platform, "batches/batch_w1", RATINGS + TWENTY_GOOD)
    other = load_table(platform, "batches/batch_w1", RATINGS + TWENTY_GOOD.replace("4.0", "1.5"))
    assert [(each.load.inserted, each.load.deleted) for each in (first, again, other)] == [(20, 0), (0, 0), (20, 20)]
    assert rows_of(platform, "SELECT DISTINCT rating FROM ratings_buffer") == [(1.5,)]
    assert rows_of(platform, "SELECT status, record_count FROM ingestion_metadata") == [("completed", 20)]


def test_a_refused_batch_shows_no_row_and_says_why(platform: Platform) -> None:
    with pytest.raises(FileRefused):
        load_table(platform, "batches/batch_w1", "userId,movieId,stars,timestamp\n1,10,4.0,1\n")
    assert rows_of(platform, "SELECT count(*) FROM ratings_buffer") == [(0,)]
    ((status, rows, notes),) = rows_of(platform, "SELECT status, record_count, notes FROM ingestion_metadata")
    assert (status, rows) == ("failed", 0)
    assert "rating" in notes
    assert "batch_w1" in notes


def test_csv_and_parquet_of_the_same_ratings_fill_the_table_alike(platform: Platform) -> None:
    load_table(platform, "ratings", RATINGS + TWENTY_GOOD)
    from_csv = rows_of(platform, "SELECT userid, movieid, rating, timestamp, data_split FROM ratings ORDER BY 1")
    csv = Path(platform.folder.spec) / "ratings.csv"
    pd.read_csv(csv).to_parquet(csv.with_suffix(".parquet"))
    csv.unlink()
    land_table(platform, "ratings")
    assert load_ratings_file(platform).load is not None
    assert (
        rows_of(platform, "SELECT userid, movieid, rating, timestamp, data_split FROM ratings ORDER BY 1") == from_csv
    )


def test_two_formats_of_one_table_are_refused(platform: Platform) -> None:
    csv = drop(platform, "ratings.csv", RATINGS + TWENTY_GOOD)
    pd.read_csv(csv).to_parquet(csv.with_suffix(".parquet"))
    with pytest.raises(CinematchError, match=r"ratings\.csv and ratings\.parquet"):
        land_table(platform, "ratings")


def test_a_batch_whose_former_content_is_put_back_is_completed_again(platform: Platform) -> None:
    load_table(platform, "batches/batch_w1", RATINGS + TWENTY_GOOD)
    with pytest.raises(FileRefused):
        load_table(platform, "batches/batch_w1", "nothing like ratings\n1\n")
    assert rows_of(platform, "SELECT status, record_count FROM ingestion_metadata") == [("failed", 20)]
    drop(platform, "batches/batch_w1.csv", RATINGS + TWENTY_GOOD)
    assert [batch for batch, _ in find_folder_changes(platform).batches] == ["batch_w1"]
    land_table(platform, "batches/batch_w1")
    load_batch_file(platform, "batch_w1")
    assert rows_of(platform, "SELECT status, record_count FROM ingestion_metadata") == [("completed", 20)]
    assert find_folder_changes(platform).batches == ()
