import psycopg

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.batches import fail_batch, load_batch
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.status import list_batches, list_files, list_rejected_reasons
from cinematch_assets_tests.support.warehouse_rows import (
    land,
    load,
    load_file,
    make_random_ratings,
    make_ratings,
    md5_of,
    merge_batch,
)
from cinematch_assets_tests.warehouse.test_drift_alerts import MEAN, STD


def test_nothing_yet(connection: psycopg.Connection) -> None:
    assert (list_batches(connection), list_files(connection), list_rejected_reasons(connection)) == ([], [], [])


def test_a_line_a_batch_in_the_order_of_arrival(connection: psycopg.Connection) -> None:
    load(connection, "w2", make_ratings((1, 1, 4.0, 1)))
    write_assessment(
        connection, "w2", md5_of("a"), [STD, MEAN], due=True, reason="rating_mean over threshold", evidence={}
    )
    load(connection, "w1", make_ratings((1, 2, 4.0, 1)))
    fail_batch(connection, "w3", "no column 'rating'")
    version = merge_batch(connection, "w2")
    second, first, failed = list_batches(connection)
    assert (second.batch_id, second.status, second.record_count, second.place) == ("w2", "completed", 1, "merged")
    assert (second.triggered, second.due, second.state) == ("rating_mean", True, "retrained")
    assert second.outcome == f"{version} promoted"
    assert (first.batch_id, first.place, first.triggered, first.due) == ("w1", "buffer", None, None)
    assert (failed.batch_id, failed.status, failed.record_count, failed.place) == ("w3", "failed", 0, None)
    assert failed.notes == "no column 'rating'"


def test_the_newest_content_of_each_path(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(10), "a")
    load_file(connection, make_random_ratings(20), "b")
    land(connection, "movies.csv")
    lines = {line.path: (line.state, line.rows_read, line.rows_accepted) for line in list_files(connection)}
    assert lines == {"movies.csv": ("landed", None, None), "ratings.csv": ("loaded", 20, 20)}


def test_the_quarantine_by_file_and_reason(connection: psycopg.Connection) -> None:
    bad = [RejectedRow(2, "x", ("rating is 9",)), RejectedRow(5, "y", ("rating is 9", "movieId is unknown"))]
    load_batch(connection, "w1", make_ratings((1, 1, 4.0, 1)), land(connection, "batches/w1.csv"), bad)
    lines = [(line.path, line.reason, line.rows, line.first_row) for line in list_rejected_reasons(connection)]
    assert lines == [("batches/w1.csv", "rating is 9", 2, 2), ("batches/w1.csv", "movieId is unknown", 1, 5)]
