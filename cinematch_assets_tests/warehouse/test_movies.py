import numpy as np
import pandas as pd
import psycopg

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.landed_files import find_newest_landed
from cinematch_assets.warehouse.movies import (
    MoviesLoad,
    StoredBasis,
    list_known_movies,
    load_movies,
    read_movies,
    read_stored_basis,
    write_features,
)
from cinematch_assets_tests.support.warehouse_rows import add_candidate, land, read_row_versions, read_rows


def movies(*rows: tuple[int, str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["movieId", "title", "genres"])


FIRST = movies((1, "Toy Story (1995)", "Animation|Comedy"), (2, "Amélie (2001)", None), (3, "Heat (1995)", "Crime"))
BASIS = {"version": "v1", "axes": [1.5]}


def load(connection: psycopg.Connection, frame: pd.DataFrame, content: str = "a") -> MoviesLoad:
    return load_movies(connection, frame, land(connection, "movies.csv", content))


def test_new_changed_and_kept_rows_are_counted(connection: psycopg.Connection) -> None:
    assert load(connection, FIRST) == MoviesLoad(inserted=3, updated=0, kept=0)
    second = movies((1, "Toy Story (1995)", "Animation|Comedy"), (2, "Amélie (2001)", "Romance"), (4, "七人の侍", None))
    assert load(connection, second, "b") == MoviesLoad(inserted=1, updated=1, kept=1)
    assert read_rows(connection, "movies", "movieid, title, genres") == [
        (1, "Toy Story (1995)", "Animation|Comedy"),
        (2, "Amélie (2001)", "Romance"),
        (3, "Heat (1995)", "Crime"),
        (4, "七人の侍", None),
    ]
    assert list_known_movies(connection).ids.tolist() == [1, 2, 3, 4]


def test_unchanged_movies_are_not_written_again(connection: psycopg.Connection) -> None:
    load(connection, FIRST)
    before = read_row_versions(connection, "movies")
    assert load(connection, FIRST, "b") == MoviesLoad(0, 0, 0)
    assert read_row_versions(connection, "movies") == before


def test_features_come_back_and_are_lost_with_their_genres(connection: psycopg.Connection) -> None:
    load(connection, FIRST)
    numbers = [round(0.1234567 * n, 6) for n in range(10)]
    assert write_features(connection, BASIS, 0.9, [(1, numbers), (2, None), (3, numbers)]) == 2
    assert write_features(connection, BASIS, 0.9, [(1, numbers), (2, None), (3, numbers)]) == 0
    assert read_stored_basis(connection) == StoredBasis(BASIS, is_trained_on=False)
    add_candidate(connection, "a run")
    assert read_stored_basis(connection) == StoredBasis(BASIS, is_trained_on=True)
    frame, features = read_movies(connection)
    assert frame["movieId"].tolist() == [1, 2, 3]
    assert frame["title"].tolist() == FIRST["title"].tolist()
    np.testing.assert_allclose(features[0], np.array(numbers, np.float32))
    assert np.isnan(features[1]).all()
    load(connection, movies((1, "Toy Story (1995)", "Animation"), (3, "HEAT (1995)", "Crime")), "b")
    _, features = read_movies(connection)
    assert np.isnan(features[0]).all()  # other genres: to be computed again
    np.testing.assert_allclose(features[2], np.array(numbers, np.float32))  # another title: the same point


def test_rejected_rows_and_counts_come_with_the_rows(connection: psycopg.Connection) -> None:
    file = land(connection, "movies.csv")
    load_movies(
        connection, FIRST, file, [RejectedRow(2, "x,\0,\ud800", ("movieId is no whole number", "title holds \0"))]
    )
    rejected = read_rows(connection, "ops.rejected_rows", "table_name, row_number, raw_row, reasons")
    assert rejected == [("movies", 2, "x,\\x00,\\ud800", ["movieId is no whole number", "title holds \\x00"])]
    ledger = find_newest_landed(connection, "movies")
    assert (ledger.rows_read, ledger.rows_accepted, ledger.rows_rejected, ledger.is_loaded) == (4, 3, 1, True)


def test_an_empty_catalogue_reads_as_one(connection: psycopg.Connection) -> None:
    frame, features = read_movies(connection)
    assert (len(frame), features.shape, len(list_known_movies(connection).ids)) == (0, (0, 10), 0)
    assert read_stored_basis(connection) is None
