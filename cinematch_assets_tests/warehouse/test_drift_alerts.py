import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg
import pytest

from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse.champion import reject
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.drift_alerts import (
    BatchReplacedError,
    NoBaselineError,
    count_unseen_ratings,
    list_waiting_decisions,
    read_baseline_counts,
    read_baseline_sample,
    read_batch_counts,
    read_batch_rows,
    read_seconds_since_retraining,
    read_user_histograms,
    write_assessment,
)
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    load,
    load_file,
    make_gate_result,
    make_random_ratings,
    make_ratings,
    md5_of,
    merge_batch,
    read_rows,
)

MEAN = DriftAlert("rating_mean", 0.121, 0.1, True, "Baseline: 3.540, New: 3.968", 700, 43)
STD = DriftAlert("rating_std", 0.045, 0.15, False, "Baseline: 1.070, New: 1.118", 700, 43)


def test_before_ratings_there_is_no_baseline(connection: psycopg.Connection) -> None:
    with pytest.raises(NoBaselineError, match="materialize ratings first"):
        read_baseline_counts(connection)


def test_a_batch_is_ten_counts_wherever_it_lives(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 0.5, 1), (1, 2, 0.5, 1), (2, 1, 5.0, 1)))
    load(connection, "w2", make_ratings((1, 1, 3.0, 1)))
    counts = (2, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert read_batch_counts(connection, "w1") == counts
    merge_batch(connection, "w1")
    assert read_batch_counts(connection, "w1") == counts
    assert read_batch_counts(connection, "nosuch") == (0,) * 10
    assert sorted(read_batch_rows(connection, "w1").itertuples(index=False, name=None)) == [
        (1, 1, 0.5, 1),
        (1, 2, 0.5, 1),
        (2, 1, 5.0, 1),
    ]


def test_the_baseline_is_what_counting_the_table_says(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(3_000, seed=4))
    counted = connection.execute(
        "SELECT (rating * 2)::int, count(*) FROM ratings WHERE data_split = 'train' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert dict(enumerate(read_baseline_counts(connection), start=1)) == dict(counted)


def test_each_user_s_histogram_sums_to_the_baseline(url: str) -> None:
    with connect(url) as connection:
        load_file(connection, make_random_ratings(3_000, seed=4, users=40))
        baseline = read_baseline_counts(connection)
        (users,) = connection.execute(
            "SELECT count(DISTINCT userid) FROM ratings WHERE data_split = 'train'"
        ).fetchone() or (0,)
    histograms = read_user_histograms(url)
    assert histograms.shape == (users, 10)
    np.testing.assert_array_equal(histograms.sum(axis=0), baseline)


def test_new_alerts_replace_the_batch_s_former_ones(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    load(connection, "w2", make_ratings((1, 2, 4.0, 1)))
    for alerts, due in (([MEAN, STD], True), ([STD], False)):
        write_assessment(connection, "w1", md5_of("a"), alerts, due=due, reason="why", evidence={"scored_by": None})
        write_assessment(connection, "w2", md5_of("a"), [MEAN], due=True, reason="other", evidence={})
    columns = "batch_id, feature_name, drift_score, threshold, alert_triggered, notes, baseline_rows, batch_rows"
    assert read_rows(connection, "drift_alerts", columns) == [
        ("w1", "rating_std", 0.045, 0.15, False, "Baseline: 1.070, New: 1.118", 700, 43),
        ("w2", "rating_mean", 0.121, 0.1, True, "Baseline: 3.540, New: 3.968", 700, 43),
    ]
    assert read_rows(connection, "ops.retraining_decisions", "batch_id, due, state") == [
        ("w1", False, "not_due"),
        ("w2", True, "waiting"),
    ]


def test_ratings_that_no_champion_has_seen(connection: psycopg.Connection) -> None:
    assert count_unseen_ratings(connection) == 0
    load(connection, "w1", make_ratings((1, 1, 4.0, 1), (2, 1, 4.0, 1)))
    load(connection, "w2", make_ratings((1, 2, 4.0, 1)))
    assert count_unseen_ratings(connection) == 3
    merge_batch(connection, "w1")
    assert count_unseen_ratings(connection) == 1


def test_the_time_since_the_last_assessment(connection: psycopg.Connection) -> None:
    assert read_seconds_since_retraining(connection) is None
    reject(connection, add_candidate(connection, "run"), make_gate_result())
    since = read_seconds_since_retraining(connection)
    assert since is not None
    assert 0 <= since < 60


def test_the_sample_is_whole_users_and_the_same_each_time(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(20_000, seed=5, users=400))
    sample = read_baseline_sample(connection, rows=2_000)
    assert 500 < len(sample) < 6_000
    again = read_baseline_sample(connection, rows=2_000)
    assert sample.equals(again)
    for user in sample["userId"].unique()[:5].tolist():
        rows = read_rows(connection, f"ratings WHERE data_split = 'train' AND userid = {user}")
        assert len(rows) == int((sample["userId"] == user).sum())


def test_another_content_of_a_batch_is_another_piece_of_evidence(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)), "a")
    write_assessment(connection, "w1", md5_of("a"), [MEAN], due=True, reason="first content", evidence={})
    load(connection, "w1", make_ratings((1, 1, 3.0, 1)), "b")
    assert list_waiting_decisions(connection) == []  # from the moment that it was replaced
    write_assessment(connection, "w1", md5_of("b"), [STD], due=True, reason="second content", evidence={})
    assert [d.reason for d in list_waiting_decisions(connection)] == ["second content"]
    assert read_rows(connection, "ops.retraining_decisions", "id, state")[0][1] == "superseded"


def test_a_content_that_came_back_is_decided_on_anew(connection: psycopg.Connection) -> None:
    for content, rating in (("a", 4.0), ("b", 3.0), ("a", 4.0)):
        load(connection, "w1", make_ratings((1, 1, rating, 1)), content)
        assert list_waiting_decisions(connection) == []
        write_assessment(connection, "w1", md5_of(content), [], due=True, reason=content, evidence={})
        assert [decision.reason for decision in list_waiting_decisions(connection)] == [content]


def test_an_assessment_of_a_content_that_was_replaced_meanwhile_is_not_written(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_ratings((1, 1, 4.0, 1)), "a")
    load(connection, "w1", make_ratings((1, 1, 3.0, 1)), "b")
    with pytest.raises(BatchReplacedError, match="w1 was replaced while it was assessed"):
        write_assessment(connection, "w1", md5_of("a"), [MEAN], due=True, reason="first content", evidence={})
    assert read_rows(connection, "drift_alerts", "batch_id") == []
    assert list_waiting_decisions(connection) == []


@pytest.mark.faults("one-batch")
def test_two_assessments_at_once_leave_one_set_of_alerts(url: str) -> None:
    with connect(url) as connection:
        load(connection, "w1", make_ratings((1, 1, 4.0, 1)))
    both = threading.Barrier(2)

    def write(_: int) -> None:
        with connect(url) as connection:
            both.wait(10)
            write_assessment(connection, "w1", md5_of("a"), [MEAN, STD], due=True, reason="why", evidence={})

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            list(pool.map(write, range(2)))
            with connect(url) as connection:
                names = read_rows(connection, "drift_alerts", "feature_name")
            assert names == [("rating_mean",), ("rating_std",)]
