from datetime import UTC, datetime

import psycopg
import pytest

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.landed_files import (
    Counts,
    NothingLandedError,
    find_newest_landed,
    finish_file,
    list_processed_contents,
    list_referenced_objects,
    record_landing,
    refuse_file,
)
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    count,
    land,
    make_artifact,
    md5_of,
    read_rows,
)

BAD = [RejectedRow(n, f"raw {n}", ("rating is 5.5",)) for n in (3, 7)]


def test_nothing_landed_names_what_to_do(connection: psycopg.Connection) -> None:
    with pytest.raises(NothingLandedError, match=r"no file ratings\.csv, .* or ratings\.parquet .*its raw asset"):
        find_newest_landed(connection, "ratings")


def test_the_newest_content_counts_whatever_its_format(connection: psycopg.Connection) -> None:
    land(connection, "ratings.csv", "a")
    land(connection, "ratings.parquet", "b")
    assert find_newest_landed(connection, "ratings").path == "ratings.parquet"
    record_landing(connection, "ratings.csv", md5_of("a"), 1, "landed/elsewhere")
    found = find_newest_landed(connection, "ratings")
    assert (found.path, found.store_key) == ("ratings.csv", "landed/elsewhere")
    assert count(connection, "ops.files") == 2


def test_a_loaded_content_supersedes_the_former_one_of_either_format(connection: psycopg.Connection) -> None:
    for path, content in (("ratings.csv", "a"), ("ratings.parquet", "b")):
        finish_file(connection, land(connection, path, content), Counts(2, 2, 0), state="loaded")
    finish_file(connection, land(connection, "movies.csv", "m"), Counts(1, 1, 0), state="loaded")
    assert read_rows(connection, "ops.files", "path, state") == [
        ("movies.csv", "loaded"),
        ("ratings.csv", "superseded"),
        ("ratings.parquet", "loaded"),
    ]
    assert list_processed_contents(connection) == {("movies.csv", md5_of("m")), ("ratings.parquet", md5_of("b"))}


def test_a_table_s_file_is_found_by_its_suffix_in_any_case_and_by_its_whole_name(
    connection: psycopg.Connection,
) -> None:
    land(connection, "ratings.CSV", "a")
    land(connection, "ratings_old.csv", "b")
    land(connection, "batches/ratings.csv", "c")
    assert find_newest_landed(connection, "ratings").path == "ratings.CSV"


def test_rows_read_are_rows_accepted_and_rejected(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        finish_file(connection, land(connection, "ratings.csv"), Counts(5, 2, 2), state="loaded")


def test_a_refused_file_keeps_its_bad_rows_and_its_reason(connection: psycopg.Connection) -> None:
    file = land(connection, "batches/w1.csv")
    refuse_file(connection, file, "ratings_buffer", BAD, counts=Counts(9, 7, 2), note="2 of 9 rows", batch_id="w1")
    rows = read_rows(connection, "ops.rejected_rows", "path, batch_id, row_number, raw_row, reasons")
    assert rows == [("batches/w1.csv", "w1", bad.row_number, bad.raw_row, list(bad.reasons)) for bad in BAD]
    assert read_rows(connection, "ops.files", "state, rows_read, note") == [("refused", 9, "2 of 9 rows")]
    assert list_processed_contents(connection) == {("batches/w1.csv", file.md5)}


def test_what_the_store_must_keep(connection: psycopg.Connection) -> None:
    for content in ("a", "b"):
        finish_file(connection, land(connection, "ratings.csv", content), Counts(1, 1, 0), state="loaded")
    land(connection, "movies.csv", "m")
    add_candidate(connection, "run")
    kept = list_referenced_objects(connection)
    assert kept == {f"landed/{md5_of('b')}", f"landed/{md5_of('m')}", make_artifact("run").key}


def test_the_newest_landing_counts_when_clock_and_zone_step_back(connection: psycopg.Connection) -> None:
    connection.execute("SET timezone = 'Asia/Tokyo'")
    land(connection, "ratings.csv", "old")
    connection.execute("SET timezone = 'America/Los_Angeles'")
    land(connection, "ratings.csv", "new")
    connection.execute(
        "UPDATE ops.files SET landed_at = landed_at - interval '2 hours' WHERE md5 = %s", [md5_of("new")]
    )
    assert find_newest_landed(connection, "ratings").md5 == md5_of("new")
    land(connection, "ratings.csv", "old")
    assert find_newest_landed(connection, "ratings").md5 == md5_of("old")


def test_the_time_of_a_landing_is_a_point_in_time_in_any_zone(connection: psycopg.Connection) -> None:
    connection.execute("SET timezone = 'Asia/Tokyo'")
    land(connection, "ratings.csv", "a")
    found = find_newest_landed(connection, "ratings").landed_at
    assert abs((datetime.now(tz=UTC) - found).total_seconds()) < 60


def test_the_suffix_of_a_compressed_file_is_its_whole_suffix(connection: psycopg.Connection) -> None:
    file = land(connection, "batches/batch_w1.CSV.gz", "a")
    assert find_newest_landed(connection, "batches/batch_w1").path == "batches/batch_w1.CSV.gz"
    finish_file(connection, file, Counts(1, 1, 0), state="loaded")
    finish_file(connection, land(connection, "batches/batch_w1.csv", "b"), Counts(1, 1, 0), state="loaded")
    assert list_processed_contents(connection) == {("batches/batch_w1.csv", md5_of("b"))}
