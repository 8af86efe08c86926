import psycopg
import pytest

from cinematch_assets.warehouse.batch_performance import (
    Scores,
    count_listed_rows,
    list_batch_performance,
    write_batch_performance,
)
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets_tests.support.warehouse_rows import (
    load,
    make_ratings,
    make_recommendations,
    md5_of,
    promote_candidate,
)

A, B = md5_of("a"), md5_of("b")
ALONE = Scores(4, "v1", 0.9, 0.7)
PAIRED = Scores(4, "v2", 0.95, 0.75, "v1", 0.9, 0.7, 0.05, 0.01, 0.09)


def test_rows_of_listed_movies_are_counted_apart_for_users_with_a_list(connection: psycopg.Connection) -> None:
    """User 1 rated one listed movie and two others, user 2 one listed; user 3 has no list."""
    version, _ = promote_candidate(connection, "first")
    write_recommendations(connection, version, make_recommendations((1, 1, 10, 4.0), (1, 2, 20, 3.9), (2, 1, 30, 4.1)))
    batch = make_ratings((1, 10, 4.0, 1), (1, 30, 5.0, 2), (1, 40, 2.0, 3), (2, 30, 3.5, 4), (3, 10, 5.0, 5))
    load(connection, "w1", batch)
    found = count_listed_rows(connection, "w1", version, 4.0)
    assert (found.listed_rows, found.listed_liked, found.unlisted_rows, found.unlisted_liked) == (2, 1, 2, 1)
    other = count_listed_rows(connection, "w1", "run_other_v9", 4.0)
    assert (other.listed_rows, other.unlisted_rows) == (0, 0)


def test_a_batch_has_one_row_whose_lists_are_those_that_its_content_met_first(connection: psycopg.Connection) -> None:
    version, _ = promote_candidate(connection, "first")
    write_recommendations(connection, version, make_recommendations((1, 1, 10, 4.0)))
    load(connection, "w1", make_ratings((1, 10, 4.0, 1), (1, 30, 5.0, 2)))
    listed = count_listed_rows(connection, "w1", version, 4.0)
    write_batch_performance(connection, "w1", A, ALONE, listed)
    write_batch_performance(connection, "w2", A, PAIRED, None)
    write_recommendations(connection, version, make_recommendations((1, 1, 50, 4.0)))
    write_batch_performance(connection, "w1", A, PAIRED, count_listed_rows(connection, "w1", version, 4.0))
    first, second = list_batch_performance(connection)
    assert (first.batch_id, first.champion, first.listed_rows, first.unlisted_rows) == ("w1", "v2", 1, 1)
    assert (first.hit_rate, first.unlisted_rate, first.champion_is_worse) == (1.0, 1.0, True)
    assert (second.hit_rate, second.list_version) == (None, None)
    write_batch_performance(connection, "w1", B, ALONE, None)
    first = list_batch_performance(connection)[0]
    assert (first.md5, first.listed_rows, first.predecessor, first.champion_is_worse) == (B, None, None, False)
    assert first.champion_rmse == pytest.approx(0.9)
