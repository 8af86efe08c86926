from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pandas as pd
import psycopg
import pytest

from cinematch_assets.values import RejectedMovie
from cinematch_assets.warehouse.collection_ledger import read_problem_files, record_listing, take_fetched
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.netflix import (
    CollectionLoad,
    Match,
    load_collection,
    movies_by_file,
    read_collection_titles,
    write_matches,
)
from cinematch_assets_tests.support.collection_rows import (
    list_and_fetch,
    make_accepted,
    make_file,
    make_rejected,
    read_rows_of_files,
)
from cinematch_assets_tests.support.warehouse_rows import count, read_row_versions, read_rows

MATRIX = ("The Matrix", "Sci-Fi", 8.7, 1999)
HEAT = ("Heat", "Crime", 8.3, 1995)
ALIEN = ("Alien", "Horror", None, None)
MOVIE = "title, genre, rating, year"


def arrive(
    connection: psycopg.Connection,
    contents: dict[str, list[tuple[Any, ...]]],
    rejected: list[RejectedMovie] | None = None,
    failures: dict[str, str] | None = None,
) -> CollectionLoad:
    """List and fetch files with these movies, take those to load, and load them."""
    bad = rejected or []
    listed = [
        make_file(name, [movies, [row for row in bad if row.file_id == name]]) for name, movies in contents.items()
    ]
    list_and_fetch(connection, listed)
    with connection.transaction():
        taken = take_fetched(connection, 1_000)
        names = {file.file_id for file in taken} - set(failures or {})
        good = make_accepted({name: movies for name, movies in contents.items() if name in names})
        return load_collection(connection, taken, good, bad, failures=failures)


def states(connection: psycopg.Connection) -> dict[str, str]:
    return dict(read_rows(connection, "ops.drive_files", "file_id, state"))


def the_row(connection: psycopg.Connection, title: str) -> tuple[UUID, Any, Any]:
    (row,) = connection.execute(
        "SELECT id, created_at, updated_at FROM netflix.movies WHERE title = %s", [title]
    ).fetchall()
    return row


def test_each_file_s_movie_becomes_a_row(connection: psycopg.Connection) -> None:
    done = arrive(connection, {"f1": [MATRIX], "f2": [HEAT], "f3": [ALIEN]})
    assert (done.inserted, done.updated, done.deleted, done.loaded) == (3, 0, 0, 3)
    assert read_rows(connection, "netflix.movies", MOVIE) == [
        ("Alien", "Horror", None, None),
        ("Heat", "Crime", Decimal("8.3"), 1995),
        ("The Matrix", "Sci-Fi", Decimal("8.7"), 1999),
    ]
    assert set(states(connection).values()) == {"loaded"}
    assert read_rows(connection, "ops.drive_files", "file_id, store_key")[0] == ("f1", "landed/f1")


def test_the_same_movie_in_several_files_is_one_row(connection: psycopg.Connection) -> None:
    done = arrive(connection, {"f1": [ALIEN], "f2": [ALIEN], "f3": [HEAT, HEAT, ALIEN]})
    assert done.inserted == 2
    assert count(connection, "netflix.movies") == 2
    arrive(connection, {"f4": [ALIEN]})
    assert count(connection, "netflix.movies") == 2
    (row, _, _) = the_row(connection, "Alien")
    files = read_rows(connection, "ops.drive_files", "file_id, loaded_rows")
    assert [name for name, rows in files if row in rows] == ["f1", "f2", "f3", "f4"]


def test_the_same_again_changes_no_row(connection: psycopg.Connection) -> None:
    contents = {"f1": [MATRIX], "f2": [HEAT, ALIEN]}
    arrive(connection, contents)
    before = read_row_versions(connection, "netflix.movies")
    ledger = read_row_versions(connection, "ops.drive_files")
    done = arrive(connection, contents)
    assert done == CollectionLoad(0, 0, 0, 0, 0, 0)
    connection.execute("UPDATE ops.drive_files SET state = 'pending'")
    assert arrive(connection, contents) == CollectionLoad(0, 0, 0, 2, 0, 0)
    assert read_row_versions(connection, "netflix.movies") == before
    assert read_row_versions(connection, "ops.drive_files") != ledger


def test_a_changed_file_changes_its_row(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX], "f2": [HEAT]})
    row, made, _ = the_row(connection, "The Matrix")
    done = arrive(connection, {"f1": [("The Matrix", "Action", 8.8, 1999)], "f2": [HEAT]})
    assert (done.inserted, done.updated, done.deleted) == (0, 1, 0)
    same, still_made, updated = the_row(connection, "The Matrix")
    assert (same, still_made) == (row, made)
    assert updated > made  # kept by the database
    assert read_rows(connection, "netflix.movies", MOVIE)[1] == ("The Matrix", "Action", Decimal("8.8"), 1999)


def test_a_changed_file_leaves_a_row_that_others_have_too(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [ALIEN], "f2": [ALIEN]})
    row, *_ = the_row(connection, "Alien")
    done = arrive(connection, {"f1": [("Aliens", "Action", 8.4, 1986)], "f2": [ALIEN]})
    assert (done.inserted, done.updated, done.deleted) == (1, 0, 0)
    assert the_row(connection, "Alien")[0] == row
    done = arrive(connection, {"f2": [("Alien³", "Horror", 6.4, 1992)]})
    assert (done.inserted, done.updated, done.deleted) == (0, 1, 0)
    assert the_row(connection, "Alien³")[0] == row


def test_files_that_swap_their_movies_swap_their_rows(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX], "f2": [HEAT]})
    before = read_row_versions(connection, "netflix.movies")
    done = arrive(connection, {"f1": [HEAT], "f2": [MATRIX]})
    assert (done.inserted, done.updated, done.deleted, done.loaded) == (0, 0, 0, 2)
    assert read_row_versions(connection, "netflix.movies") == before


def test_a_chain_of_changes_ends_in_what_the_files_hold(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX], "f2": [HEAT]})
    arrive(connection, {"f1": [HEAT], "f2": [ALIEN]})
    assert read_rows_of_files(connection) == {"f1": [HEAT], "f2": [ALIEN]}
    assert count(connection, "netflix.movies") == 2


def test_a_list_that_changes_keeps_the_rows_of_what_stays(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX, HEAT]})
    ids = {title: the_row(connection, title)[0] for title in ("The Matrix", "Heat")}
    done = arrive(connection, {"f1": [ALIEN, MATRIX]})
    assert (done.inserted + done.updated, done.deleted) == (1, 1)
    assert the_row(connection, "The Matrix")[0] == ids["The Matrix"]
    assert read_rows_of_files(connection) == {"f1": [ALIEN, MATRIX]}


def test_a_file_that_turns_bad_keeps_its_last_good_row_and_is_a_problem_file(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX]})
    done = arrive(connection, {"f1": []}, [make_rejected("f1", 1, '{"title": ""}', "title is empty")])
    assert done.quarantined == 1
    assert states(connection) == {"f1": "quarantined"}
    assert read_rows_of_files(connection) == {"f1": [MATRIX]}
    (problem,) = read_problem_files(connection)
    assert problem.last_error == "row 1: title is empty; the rows of its last good content stay"
    assert problem.has_rows
    rejected = read_rows(connection, "ops.rejected_rows", "path, table_name, row_number, raw_row, reasons")
    assert rejected == [("Netflix_Movie_Collection/f1.json", "netflix.movies", 1, '{"title": ""}', ["title is empty"])]
    arrive(connection, {"f1": [HEAT]})
    assert states(connection) == {"f1": "loaded"}
    assert read_problem_files(connection) == []
    assert read_rows_of_files(connection) == {"f1": [HEAT]}
    assert count(connection, "netflix.movies") == 1


def test_a_file_that_never_was_good_has_no_row(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": []}, [make_rejected("f1", 1, "{\0", "is not JSON")])
    (problem,) = read_problem_files(connection)
    assert (problem.state, problem.last_error, problem.has_rows) == ("quarantined", "row 1: is not JSON", False)
    assert read_rows(connection, "ops.rejected_rows", "raw_row") == [("{\\x00",)]


def test_a_file_without_any_movie_is_a_problem_file(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": []})
    assert read_problem_files(connection)[0].last_error == "has no movie"


def test_one_bad_movie_of_a_list_keeps_its_own_row_only(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX, HEAT, ALIEN]})
    changed = ("The Matrix", "Action", 8.8, 1999)
    done = arrive(connection, {"f1": [changed, None, ALIEN]}, [make_rejected("f1", 2, "{}", "title is empty")])
    assert (done.updated, done.inserted, done.deleted, done.loaded) == (1, 0, 0, 1)
    assert read_rows_of_files(connection) == {"f1": [changed, HEAT, ALIEN]}
    assert "1 of 3 movies rejected, row 2: title is empty" in read_problem_files(connection)[0].last_error


def test_a_file_that_cannot_be_fetched_is_tried_again_and_then_given_up(connection: psycopg.Connection) -> None:
    contents = {"f1": [MATRIX], "f2": [HEAT]}
    done = arrive(connection, contents, failures={"f1": "f1.json: connection reset"})
    assert (done.loaded, done.failed) == (1, 1)
    assert states(connection) == {"f1": "failed", "f2": "loaded"}
    for attempt in range(2, 6):
        assert arrive(connection, contents, failures={"f1": "f1.json: connection reset"}).failed == 1
        assert read_problem_files(connection)[0].attempts == attempt
    assert arrive(connection, contents).loaded == 0  # five attempts, and it waits for a person
    arrive(connection, {"f1": [ALIEN]})  # or for another content
    assert read_rows_of_files(connection)["f1"] == [ALIEN]


def test_a_file_that_a_listing_does_not_show_stays(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX], "f2": [HEAT]})
    listing = record_listing(connection, [make_file("f2", [[HEAT], []])])
    assert listing.missing == 1
    assert read_rows_of_files(connection) == {"f1": [MATRIX], "f2": [HEAT]}


@pytest.mark.parametrize(
    ("rating", "kept"),
    [
        (8.25, "8.3"),
        (8.25000001, "8.3"),
        (8.24, "8.2"),
        (0.05, "0.1"),
        (0.0, "0.0"),
        (9.95, "10.0"),
        (10, "10.0"),
        (7, "7.0"),
    ],
)
def test_ratings_are_recognized_as_postgres_rounds_them(
    connection_18: psycopg.Connection, rating: float, kept: str
) -> None:
    frame = make_accepted({"f1": [("T", "G", rating, None)]})
    assert movies_by_file(frame)["f1"][1].rating == Decimal(kept)
    arrive(connection_18, {"f1": [("T", "G", rating, None)]})
    arrive(connection_18, {"f2": [("T", "G", rating, None)]})
    assert read_rows(connection_18, "netflix.movies", "rating") == [(Decimal(kept),)]


def test_matches_are_kept_and_follow(connection: psycopg.Connection) -> None:
    arrive(connection, {"f1": [MATRIX], "f2": [HEAT], "f3": [ALIEN]})
    titles = read_collection_titles(connection).set_index("title")
    assert titles["year"].tolist()[1:] == [1995, 1999]
    assert pd.isna(titles.loc["Alien", "year"])
    matrix, heat, alien = (titles.loc[title, "id"] for title in ("The Matrix", "Heat", "Alien"))
    found = [Match(matrix, 2571, "title", 1.0), Match(alien, None, "title, no year given", None, (1214, 9999))]
    assert write_matches(connection, found) == 2
    before = read_row_versions(connection, "netflix.movie_matches")
    assert write_matches(connection, found) == 0
    assert read_row_versions(connection, "netflix.movie_matches") == before
    assert write_matches(connection, [Match(heat, 6, "title", 1.0), Match(uuid4(), 7, "title", 1.0)]) == 3
    rows = read_rows(connection, "netflix.movie_matches", "id, movieid, method, score, candidates")
    assert rows == [(heat, 6, "title", 1.0, [])]


def test_a_movie_never_twice_is_the_database_s_rule_too(database_url: str) -> None:
    with connect(database_url) as connection:
        order = "INSERT INTO netflix.movies (title, genre) VALUES ('Alien', 'Horror')"
        connection.execute(order)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(order.encode())
