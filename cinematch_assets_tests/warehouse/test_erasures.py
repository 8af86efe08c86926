import psycopg
import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.splitting import is_test_by_time
from cinematch_assets.warehouse import erasures as rows
from cinematch_assets.warehouse.audit import Action, list_audit_entries
from cinematch_assets.warehouse.champion import find_scorer
from cinematch_assets_tests.support.warehouse_rows import (
    count,
    land,
    load,
    load_file,
    make_ratings,
    promote_candidate,
    read_rows,
)

ADA = Actor("ada")


def begin(connection: psycopg.Connection, people: int = 1) -> int:
    return rows.begin_erasure(connection, [f"{n:064}" for n in range(people)], "f" * 16, "asked for", ADA)


def test_an_erasure_s_row_becomes_its_certificate(connection: psycopg.Connection) -> None:
    erasure = begin(connection, 2)
    assert [each.id for each in rows.list_erasures(connection, unfinished=True)] == [erasure]
    for _ in range(2):
        with connection.transaction():
            rows.add_counts(connection, erasure, "files", {"rows": 3})
    rows.finish_step(connection, erasure, "files")
    version, _ = promote_candidate(connection, "run")
    rows.record_proof(connection, erasure, version, "a" * 64, "b" * 64)
    for _ in range(2):
        rows.finish_erasure(connection, erasure, ADA)
    done = rows.read_erasure(connection, erasure)
    assert (done.people, done.steps, done.champion) == (2, {"files": {"rows": 6, "done": 1}}, version)
    assert done.finished_at is not None
    assert not done.is_proven
    assert rows.list_erasures(connection, unfinished=True) == []
    assert len(list_audit_entries(connection, action=Action.ERASURE)) == 1
    with pytest.raises(rows.NoErasureError, match="there is no erasure 99"):
        rows.read_erasure(connection, 99)


def test_people_go_from_each_table_and_the_counts_follow(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((1, 1, 4.0, 1), (2, 1, 4.0, 1)))
    load(connection, "w1", make_ratings((1, 2, 4.0, 9), (3, 2, 4.0, 5)))
    connection.execute("INSERT INTO recommendations VALUES (1, 1, 7, 0.5, 'v'), (2, 1, 7, 0.5, 'v')")
    erasure = begin(connection)
    rows.delete_people(connection, erasure, lambda users: users == 1)
    assert read_rows(connection, "ratings", "userid") == [(2,)]
    assert read_rows(connection, "ratings_buffer", "userid") == [(3,)]
    assert read_rows(connection, "recommendations", "userid") == [(2,)]
    assert read_rows(connection, "ops.batches", "rows, newest_timestamp") == [(1, 5)]
    assert read_rows(connection, "ingestion_metadata", "record_count") == [(1,)]
    assert rows.read_erasure(connection, erasure).steps == {
        "tables": {"ratings": 1, "ratings_buffer": 1, "recommendations": 1}
    }


def test_a_batch_of_theirs_alone_has_no_rows(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 2, 4.0, 9)))
    rows.delete_people(connection, begin(connection), lambda users: users == 1)
    assert read_rows(connection, "ops.batches", "rows, newest_timestamp") == [(0, None)]


def test_a_split_by_time_is_cut_again(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings(*((1 + n % 2, n, 4.0, n) for n in range(1, 21))))
    rows.delete_people(
        connection,
        begin(connection),
        lambda users: users == 1,
        lambda ratings: is_test_by_time(ratings["timestamp"].to_numpy()),
    )
    test = "ratings WHERE data_split = 'test'"
    assert read_rows(connection, test, "timestamp") == [(15,), (17,), (19,)]
    assert count(connection, "ratings") == 10


def test_the_ledger_points_to_the_new_content_and_the_quarantine_to_its_rows(connection: psycopg.Connection) -> None:
    load_file(connection, make_ratings((1, 1, 4.0, 1), (2, 1, 4.0, 1)))
    file = land(connection, "ratings.csv")
    connection.execute("UPDATE ops.files SET rows_read = 5, rows_rejected = 3")
    for number, raw in ((1, "1,1,9"), (3, "2,1,9"), (5, "1,x")):
        connection.execute(
            "INSERT INTO ops.rejected_rows (path, md5, table_name, row_number, raw_row, reasons) "
            "VALUES (%s, %s, 'ratings', %s, %s, '{x}')",
            [file.path, file.md5, number, raw],
        )
    theirs = [number for number, raw in rows.read_quarantined_rows(connection, *file.content) if raw.startswith("1,")]
    erasure = begin(connection)
    cleaned = rows.CleanedFile("landed/x/new.csv", "c" * 32, 7, [1, 2, 5])
    rows.clean_file(connection, erasure, *file.content, 1, cleaned, theirs)
    columns = "store_key, md5, stored_md5, stored_size, rows_read, rows_accepted, rows_rejected, cleaned_for"
    assert read_rows(connection, "ops.files", columns) == [
        ("landed/x/new.csv", file.md5, "c" * 32, 7, 2, 1, 1, 1),
    ]
    assert read_rows(connection, "ops.rejected_rows", "row_number, raw_row") == [(1, "2,1,9")]
    assert rows.find_cleaned_file(connection, *file.content, 1) == ("landed/x/new.csv", "c" * 32, 7)
    assert rows.find_cleaned_file(connection, *file.content, 2) is None
    counts = {"contents": 1, "rewritten": 1, "rows": 3, "rejected_rows": 2}
    assert rows.read_erasure(connection, erasure).steps == {"files": counts}
    rows.clean_file(connection, erasure, *file.content, 1, None, [])  # as after a kill between two files
    assert rows.read_erasure(connection, erasure).steps == {"files": counts}


def test_an_erased_version_is_known_as_such_and_scores_no_batch(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    version, _ = promote_candidate(connection, "first")
    scorer = find_scorer(connection, "w1")
    assert scorer is not None
    assert rows.find_version_erasure(connection, version) is None
    rows.mark_version_erased(connection, version, begin(connection))
    assert rows.find_version_erasure(connection, version) is not None
    assert find_scorer(connection, "w1") is None
    assert rows.list_erasable_versions(connection) == []
