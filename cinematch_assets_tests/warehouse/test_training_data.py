import psycopg
import pytest

from cinematch_assets.splitting import is_test_by_hash
from cinematch_assets.warehouse.champion import promote
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.training_data import read_seen_pairs, read_training_data
from cinematch_assets_tests.support.servers import wait_until
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    assess,
    load,
    load_file,
    make_artifact,
    make_gate_result,
    make_random_ratings,
    make_ratings,
    md5_of,
    merge_batch,
    read_rows,
)


def pairs(connection: psycopg.Connection, what: str) -> set[tuple[int, int]]:
    return set(read_rows(connection, what, "userid, movieid"))


def test_a_pair_of_the_test_split_never_comes_out_whichever_table_has_it(url: str) -> None:
    file = make_random_ratings(2_000, seed=1, users=50, movies=80)
    rated_again = file.assign(rating=1.0, timestamp=file["timestamp"] + 1)
    with connect(url) as connection:
        load_file(connection, file)
        load(connection, "merged", rated_again.iloc[:800])
        version = add_candidate(connection, "run", TrainedBatch("merged", md5_of("a"), 800))
        promote(connection, version, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge")
        load(connection, "waiting", rated_again.iloc[600:1_400])
        assess(connection, "merged")
        assess(connection, "waiting")
        # Rows that came by the schema reference's own statement carry no batch.
        connection.execute(
            "INSERT INTO ratings (userId, movieId, rating, timestamp, data_split, loaded_at) "
            "SELECT userId, movieId, rating, timestamp, 'train', NOW() FROM ratings_buffer"
        )
        test = pairs(connection, "ratings WHERE data_split = 'test'")
        assert len(test) > 500
        assert pairs(connection, "ops.training_ratings") & test == set()
        assert pairs(connection, "ratings WHERE data_split = 'train'") & test != set()
    data = read_training_data(url)
    for part in (data.file, data.merged, data.waiting):
        assert len(part) > 0
        assert set(part[["userId", "movieId"]].itertuples(index=False, name=None)) & test == set()
    assert set(data.test[["userId", "movieId"]].itertuples(index=False, name=None)) == test


def test_rows_come_out_by_where_they_came_from(url: str) -> None:
    train = make_random_ratings(60, seed=3)
    train = train[~is_test_by_hash(train["userId"].to_numpy(), train["movieId"].to_numpy())]
    with connect(url) as connection:
        load_file(connection, train.iloc[:10])
        load(connection, "w1", train.iloc[10:14], "a")
        version = add_candidate(connection, "run", TrainedBatch("w1", md5_of("a"), 4))
        promote(connection, version, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge")
        load(connection, "w2", train.iloc[14:20], "b")
        assess(connection, "w1")
        assess(connection, "w2")
    data = read_training_data(url)
    assert (len(data.file), len(data.merged), len(data.waiting), len(data.test)) == (10, 4, 6, 0)
    assert data.waiting_batches() == [TrainedBatch("w2", md5_of("b"), 6)]
    assert set(data.merged["md5"]) == {md5_of("a")}
    assert list(data.file.columns) == ["userId", "movieId", "rating", "timestamp"]
    assert [str(dtype) for dtype in data.file.dtypes] == ["int32", "int32", "float32", "int64"]


def test_a_rating_given_again_comes_out_both_times(url: str) -> None:
    # Which one counts is for the model to say: the newer.
    train = make_random_ratings(20)
    train = train[~is_test_by_hash(train["userId"].to_numpy(), train["movieId"].to_numpy())].iloc[:1]
    with connect(url) as connection:
        load_file(connection, train.assign(rating=2.0))
        load(connection, "w1", train.assign(rating=5.0))
        assess(connection, "w1")
    data = read_training_data(url)
    assert (data.file["rating"].tolist(), data.waiting["rating"].tolist()) == ([2.0], [5.0])


def test_only_accepted_contents_are_learned_from(url: str) -> None:
    # Rows that no load has accounted for, as a person or another program may leave them.
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO ratings_buffer VALUES (1, 10, 4.0, 1, 'unknown', now()), (1, 20, 4.0, 1, NULL, now())"
        )
        load(connection, "gone", make_ratings((1, 30, 4.0, 1)))
        assess(connection, "gone")
        connection.execute("UPDATE ops.batches SET place = 'deleted'")
    data = read_training_data(url)
    assert (len(data.file), len(data.merged), len(data.waiting)) == (0, 0, 0)


def test_a_batch_is_learned_from_once_it_was_assessed_and_no_longer_when_it_was_replaced(url: str) -> None:
    def learned() -> tuple[int, int, tuple[str, ...]]:
        data = read_training_data(url)
        return len(data.waiting), len(data.merged), data.left_out

    with connect(url) as connection:
        load(connection, "w1", make_ratings((1, 10, 4.0, 1)), "a")
        assert learned() == (0, 0, ("w1",))
        assess(connection, "w1")
        assert learned() == (1, 0, ())
        load(connection, "w1", make_ratings((1, 10, 3.0, 1), (2, 10, 3.0, 1)), "b")
        assert learned() == (0, 0, ("w1",))
        assess(connection, "w1")
        merge_batch(connection, "w1")
        assert learned() == (0, 2, ())
        load(connection, "w1", make_ratings((1, 10, 5.0, 1)), "c")
        assert learned() == (0, 0, ("w1",))


def test_nothing_yet(database_url_18: str) -> None:
    data = read_training_data(database_url_18)
    assert data.waiting_batches() == []
    users, movies = read_seen_pairs(database_url_18)
    assert (len(users), len(movies)) == (0, 0)


def test_a_rating_counts_as_seen_in_any_table_and_split(url: str) -> None:
    with connect(url) as connection:
        load_file(connection, make_ratings((1, 1, 4.0, 1), (1, 2, 4.0, 1), (2, 1, 4.0, 1), (2, 2, 4.0, 1)))
        load(connection, "w1", make_ratings((1, 2, 3.0, 2), (3, 3, 3.0, 2)))
    users, movies = read_seen_pairs(url)
    assert set(zip(users.tolist(), movies.tolist(), strict=True)) == {(1, 1), (1, 2), (2, 1), (2, 2), (3, 3)}


@pytest.mark.parametrize("rows", [0, 1])
def test_the_snapshot_is_one_moment(database_url_18: str, rows: int) -> None:
    with connect(database_url_18) as connection:
        load_file(connection, make_random_ratings(100 * rows + 1))
    data = read_training_data(database_url_18)
    assert len(data.file) + len(data.test) == 100 * rows + 1


def lookups_of_reading(connection: psycopg.Connection, url: str) -> int:
    """How often reading the training data looks something up in an index of ``ratings``."""
    scans = "SELECT sum(idx_scan)::bigint, sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE relname = 'ratings'"

    def counted() -> tuple[int, int]:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        return connection.execute(scans).fetchone()

    connection.execute("SELECT pg_stat_force_next_flush()")
    before = counted()
    read_training_data(url)
    wait_until(lambda: counted() != before, "the server counts what the reader's session did")
    return counted()[0] - before[0]


def test_training_rows_of_a_table_without_statistics_are_not_looked_up_one_by_one(url: str) -> None:
    """As right after a first load, before autovacuum has looked at the table."""
    with connect(url) as connection:
        connection.execute("ALTER TABLE ratings SET (autovacuum_enabled = off)")
        load_file(connection, make_random_ratings(20_000, seed=1, users=500, movies=400))
        assert lookups_of_reading(connection, url) < 20


def test_rows_of_a_waiting_batch_are_not_looked_up_one_by_one_whatever_the_planner_expects(url: str) -> None:
    """No statistics tell how many rows of the buffer belong to a batch that waits and was assessed."""
    file = make_random_ratings(200_000, seed=1, users=5_000, movies=1_000)
    with connect(url) as connection:
        load_file(connection, file.iloc[:180_000])
        load(connection, "waiting", file.iloc[180_000:])
        assess(connection, "waiting")
        assert lookups_of_reading(connection, url) < 20
