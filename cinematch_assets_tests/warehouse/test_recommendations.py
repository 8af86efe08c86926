import psycopg
import pytest

from cinematch_assets.warehouse.model_registry import RegistryConflictError
from cinematch_assets.warehouse.recommendations import read_recommended_version, write_recommendations
from cinematch_assets_tests.support.warehouse_rows import count, make_recommendations, promote_candidate, read_rows


def test_recommendations_are_replaced_with_their_version(connection: psycopg.Connection) -> None:
    assert read_recommended_version(connection) is None
    first, _ = promote_candidate(connection, "first")
    assert write_recommendations(connection, first, make_recommendations((1, 1, 30, 4.5), (1, 2, 40, 4.25))) == 2
    assert read_recommended_version(connection) == first
    second, _ = promote_candidate(connection, "second")
    assert write_recommendations(connection, second, make_recommendations((2, 1, 50, 4.0))) == 1
    rows = read_rows(connection, "recommendations", "userid, rank, movieid, score, model_version")
    assert rows == [(2, 1, 50, 4.0, second)]


def test_recommendations_of_a_former_champion_are_not_written(connection: psycopg.Connection) -> None:
    first, _ = promote_candidate(connection, "first")
    promote_candidate(connection, "second")
    with pytest.raises(RegistryConflictError, match="run it again"):
        write_recommendations(connection, first, make_recommendations((1, 1, 30, 4.5)))
    assert count(connection, "recommendations") == 0


def test_reasons_are_written_beside_their_movie_however_many_there_are(connection: psycopg.Connection) -> None:
    version, _ = promote_candidate(connection, "first")
    rows = make_recommendations((1, 1, 30, 4.5), (1, 2, 40, 4.25), (2, 1, 30, 4.0), (3, 1, 50, 1.0))
    because = [[7, 8, 9], [2**31 - 1], [], [7, 5, 3]]
    assert write_recommendations(connection, version, rows.assign(because=because)) == 4
    found = read_rows(connection, "recommendations", "userid, rank, because")
    assert sorted(found) == [(1, 1, [7, 8, 9]), (1, 2, [2**31 - 1]), (2, 1, []), (3, 1, [7, 5, 3])]


def test_lists_that_were_stored_without_reasons_have_none(connection: psycopg.Connection) -> None:
    version, _ = promote_candidate(connection, "first")
    write_recommendations(connection, version, make_recommendations((1, 1, 30, 4.5)))
    assert read_rows(connection, "recommendations", "because") == [([],)]


def test_no_recommendations_for_anyone_are_published_all_the_same(connection: psycopg.Connection) -> None:
    first, _ = promote_candidate(connection, "first")
    write_recommendations(connection, first, make_recommendations((1, 1, 30, 4.5)))
    second, _ = promote_candidate(connection, "second")
    assert read_recommended_version(connection) == first
    assert write_recommendations(connection, second, make_recommendations()) == 0
    assert read_recommended_version(connection) == second
    assert count(connection, "recommendations") == 0
