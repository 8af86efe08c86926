"""Rejected rows come back by the same rules, and nothing is counted twice."""

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.ingest.release_rejects import PAIR_EXISTS, release_rows
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.audit import Action, list_audit_entries
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, load_table, rows_of

GOOD = "".join(f"{user},10,4.0,1000000000\n" for user in range(1, 41))
UNKNOWN_MOVIE = "1,99,3.5,1000000001\n"
TOO_HIGH = "2,10,9.0,1000000001\n"


@pytest.fixture
def platform(platform: Platform) -> Platform:
    load_catalogue(platform, "10,Heat (1995),Action\n")
    return platform


def load_catalogue(platform: Platform, rows: str) -> None:
    load_table(platform, "movies", MOVIES + rows)


def load_ratings(platform: Platform) -> None:
    load_table(platform, "ratings", RATINGS + GOOD + UNKNOWN_MOVIE + TOO_HIGH)


def counts(platform: Platform, path: str) -> list[tuple[object, ...]]:
    return rows_of(platform, f"SELECT rows_read, rows_accepted, rows_rejected FROM ops.files WHERE path = '{path}'")


def test_a_rating_goes_in_once_its_movie_is_known(platform: Platform) -> None:
    load_ratings(platform)
    load_catalogue(platform, "10,Heat (1995),Action\n99,Ran (1985),Drama\n")
    done = release_rows(platform, [], path="ratings.csv")
    assert (done.released, done.kept) == (1, 1)
    assert rows_of(platform, "SELECT rating, timestamp FROM ratings WHERE movieId = 99") == [(3.5, 1000000001)]
    assert counts(platform, "ratings.csv") == [(42, 41, 1)]


def test_a_corrected_row_goes_in_only_if_no_rating_of_the_pair_exists(platform: Platform) -> None:
    load_ratings(platform)
    ((taken,),) = rows_of(platform, "SELECT id FROM ops.rejected_rows WHERE raw_row LIKE '2,10,%'")
    assert release_rows(platform, [taken], correction="2,10,4.5,1000000001").reasons == {PAIR_EXISTS: 1}
    assert release_rows(platform, [taken], correction="77,10,4.5,1000000001").released == 1
    assert rows_of(platform, "SELECT rating FROM ratings WHERE userId = 77") == [(4.5,)]


def test_a_released_row_of_a_batch_joins_its_batch(platform: Platform) -> None:
    load_table(platform, "batches/batch_w1", RATINGS + GOOD + UNKNOWN_MOVIE)
    load_catalogue(platform, "10,Heat (1995),Action\n99,Ran (1985),Drama\n")
    assert release_rows(platform, [], path="batches/batch_w1.csv").released == 1
    assert rows_of(platform, "SELECT count(*) FROM ratings_buffer WHERE batch_id = 'batch_w1'") == [(41,)]
    assert rows_of(platform, "SELECT record_count FROM ingestion_metadata") == [(41,)]


def test_rows_of_two_files_are_released_at_once_with_one_reason(platform: Platform) -> None:
    load_ratings(platform)
    load_table(platform, "batches/batch_w1", RATINGS + GOOD + UNKNOWN_MOVIE)
    load_catalogue(platform, "10,Heat (1995),Action\n99,Ran (1985),Drama\n")
    ids = [row[0] for row in rows_of(platform, "SELECT id FROM ops.rejected_rows WHERE raw_row LIKE '1,99,%'")]
    assert release_rows(platform, [int(str(each)) for each in ids], reason="Ran is known now").released == 2
    entries = platform.warehouse.run(list_audit_entries, action=Action.RELEASE)
    assert {entry.subject for entry in entries} == {"ratings.csv", "batches/batch_w1.csv"}
    assert {(entry.reason, entry.by) for entry in entries} == {("Ran is known now", platform.actor)}


def test_a_row_is_released_once(platform: Platform) -> None:
    load_ratings(platform)
    load_catalogue(platform, "10,Heat (1995),Action\n99,Ran (1985),Drama\n")
    release_rows(platform, [], path="ratings.csv")
    assert release_rows(platform, [], path="ratings.csv").released == 0
    assert rows_of(platform, "SELECT count(*) FROM ratings WHERE movieId = 99") == [(1,)]


def test_releasing_nothing_says_what_to_name(platform: Platform) -> None:
    with pytest.raises(CinematchError, match="--path"):
        release_rows(platform, [])
