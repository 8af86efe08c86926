import psycopg
import pytest

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.rejected_rows import (
    read_rejected_rows,
    remember_columns,
    replace_rejected_rows,
    storable,
)
from cinematch_assets.warehouse.status import list_rejected_reasons
from cinematch_assets_tests.support.warehouse_rows import count, land, read_rows

BAD = [RejectedRow(n, f"raw {n}", ("rating is 5.5",)) for n in (3, 7)]


def test_rows_are_listed_newest_file_first_with_what_reading_them_again_needs(connection: psycopg.Connection) -> None:
    old, new = land(connection, "ratings.csv"), land(connection, "batches/w1.csv")
    replace_rejected_rows(connection, "ratings", {old.content: BAD})
    replace_rejected_rows(connection, "ratings_buffer", {new.content: BAD[:1]}, "w1")
    remember_columns(connection, new.path, new.md5, ["movieId", "userId"])
    rows = read_rejected_rows(connection)
    assert [(row.path, row.row_number, row.batch_id) for row in rows] == [
        ("batches/w1.csv", 3, "w1"),
        ("ratings.csv", 3, None),
        ("ratings.csv", 7, None),
    ]
    assert (rows[0].columns, rows[1].columns, rows[0].file_state) == (["movieId", "userId"], None, "landed")
    assert read_rejected_rows(connection, path="ratings.csv", limit=1) == rows[1:2]
    assert read_rejected_rows(connection, ids=[rows[2].id]) == rows[2:]


def test_a_content_that_is_read_again_is_validated_again(connection: psycopg.Connection) -> None:
    file, other = land(connection, "ratings.csv", "a"), land(connection, "ratings.csv", "b")
    replace_rejected_rows(connection, "ratings", {file.content: BAD})
    replace_rejected_rows(connection, "ratings", {other.content: BAD[:1]})
    assert replace_rejected_rows(connection, "ratings", {file.content: BAD[:1]}) == 1
    assert count(connection, "ops.rejected_rows") == 2


@pytest.mark.parametrize("state", ["loaded", "refused"])
def test_rows_of_a_content_that_the_file_holds_no_longer_ask_for_nothing(
    connection: psycopg.Connection, state: str
) -> None:
    former, newer = land(connection, "ratings.csv", "a"), land(connection, "ratings.csv", "b")
    replace_rejected_rows(connection, "ratings", {former.content: BAD})
    connection.execute("UPDATE ops.files SET state = 'refused' WHERE md5 = %s", [former.md5])
    assert len(read_rejected_rows(connection)) == 2  # the newer one was not read yet
    assert [line.rows for line in list_rejected_reasons(connection)] == [2]
    connection.execute("UPDATE ops.files SET state = %s WHERE md5 = %s", [state, newer.md5])
    assert read_rejected_rows(connection) == read_rejected_rows(connection, path="ratings.csv") == []
    assert list_rejected_reasons(connection) == []
    rows = read_rejected_rows(connection, md5=former.md5)
    assert [row.row_number for row in rows] == [3, 7]
    assert read_rejected_rows(connection, ids=[rows[0].id]) == rows[:1]


def test_a_row_without_a_reason_is_not_stored(connection: psycopg.Connection) -> None:
    file = land(connection, "ratings.csv")
    with pytest.raises(psycopg.errors.CheckViolation):
        replace_rejected_rows(connection, "ratings", {file.content: [RejectedRow(1, "x", ())]})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a,b", "a,b"),
        ("Amélie 七", "Amélie 七"),
        ("a\0b", "a\\x00b"),
        ("\ud83d", "\\ud83d"),
        ("tab\tline\n\\", "tab\tline\n\\"),
    ],
)
def test_a_row_with_any_characters_can_be_stored(connection_18: psycopg.Connection, text: str, kept: str) -> None:
    assert storable(text) == kept
    file = land(connection_18, "ratings.csv")
    replace_rejected_rows(connection_18, "ratings", {file.content: [RejectedRow(1, text, (text,))]})
    assert read_rows(connection_18, "ops.rejected_rows", "raw_row, reasons") == [(kept, [kept])]
