"""Each shipped query, asked as role analyst, gives the answer that a person finds by hand."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cinematch_assets.warehouse.statements import statement, statement_names
from cinematch_assets_tests.support.questions import ask
from cinematch_assets_tests.support.servers import Postgres

NOON = datetime.combine(date.today(), datetime.min.time()) - timedelta(hours=12)  # noqa: DTZ011 - as the tables keep it
"""Noon of yesterday: within a day of now only in the morning, so what has to be recent is written as now."""

RATINGS = [
    # userId, movieId, rating, timestamp, data_split
    (1, 1, 4.0, 300, "train"),
    (1, 2, 3.0, 100, "train"),
    (2, 1, 5.0, 200, "train"),
    (3, 1, 3.5, 400, "train"),
    (2, 2, 2.0, 500, "test"),
    (3, 3, 4.5, 250, "test"),
]
MOVIES = [
    (1, "Toy Story (1995)", "Animation|Children|Comedy"),
    (2, "Jumanji (1995)", "Children|Fantasy"),
    (3, "Heat (1995)", None),
    (4, "Sabrina (1995)", "Comedy"),
]
BUFFER = [(9, 1, 4.0, 600, "w1"), (9, 2, 4.0, 50, "w1"), (9, 4, 0.5, 700, "w2")]


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO ratings VALUES (%s, %s, %s, %s, %s)", RATINGS)
        cursor.executemany("INSERT INTO movies VALUES (%s, %s, %s)", MOVIES)
        cursor.executemany("INSERT INTO ratings_buffer VALUES (%s, %s, %s, %s, %s)", BUFFER)
        cursor.execute(
            "INSERT INTO ingestion_metadata (batch_id, ingestion_date, record_count, status) VALUES "
            "('w0', NOW() - INTERVAL '8 days', 40, 'completed'), ('w1', NOW() - INTERVAL '2 days', 2, 'completed'), "
            "('w2', NOW() - INTERVAL '1 day', 1, 'completed'), ('w3', NOW(), 0, 'failed')"
        )
        cursor.executemany(
            "INSERT INTO model_metrics (model_version, training_date, rmse, mae, precision_at_10, data_size) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            [
                ("run_a_v1", NOON - timedelta(days=2), 0.875, 0.5, 0.7, 700),
                ("run_b_v2", NOON - timedelta(days=1), 0.75, 0.25, 0.75, 800),
                ("run_c_v3", NOON, 0.8125, 0.375, 0.72, 900),
            ],
        )
        alert = (
            "INSERT INTO drift_alerts (alert_date, feature_name, drift_score, threshold, alert_triggered) "
            "VALUES (%s, %s, %s, %s, %s)"
        )
        days = [NOON - timedelta(days=n) for n in (5, 4)]
        cursor.executemany(
            alert,
            [
                (days[0], "rating_mean", 0.25, 0.1, True),
                (days[0] + timedelta(minutes=1), "rating_mean", 0.05, 0.1, False),
                (days[1], "rating_std", 0.125, 0.15, False),
            ],
        )
    return database_url


def answer(url: str, name: str) -> list[tuple[Any, ...]]:
    return ask(url, statement(f"analytics/{name}"), embedded=False)[1]


def now(url: str, *alerts: tuple[str, float, float, bool]) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO drift_alerts (feature_name, drift_score, threshold, alert_triggered) VALUES (%s, %s, %s, %s)",
            alerts,
        )


def test_rows_mean_and_deviation_of_each_split(url: str) -> None:
    # train: 4, 3, 5, 3.5 → mean 3.875, squared distances 0.0156 + 0.7656 + 1.2656 + 0.1406 = 2.1875, / 3 → 0.8539²
    # test: 2, 4.5 → mean 3.25, deviation 2.5 / √2
    assert sorted(answer(url, "summarize_splits")) == [
        ("test", 2, Decimal("3.25"), Decimal("1.77")),
        ("train", 4, Decimal("3.88"), Decimal("0.85")),
    ]


def test_a_movie_counts_for_each_of_its_genres(url: str) -> None:
    found = answer(url, "count_genres")
    assert sorted(found) == [("Animation", 1), ("Children", 2), ("Comedy", 2), ("Fantasy", 1)]
    assert [count for _, count in found] == [2, 2, 1, 1]


def test_samples_and_counts(url: str) -> None:
    assert len(answer(url, "show_ratings")) == 5
    assert sorted(answer(url, "show_movies")) == sorted(MOVIES)
    assert [row[:5] for row in answer(url, "show_buffer")] == BUFFER
    assert answer(url, "count_buffer") == [(3,)]
    assert dict(answer(url, "count_records")) == {
        "ratings": 6, "movies": 4, "ingestion_metadata": 4, "ratings_buffer": 3, "model_metrics": 3, "drift_alerts": 3,
    }  # fmt: skip


def test_batches(url: str) -> None:
    assert [row[1] for row in answer(url, "show_ingestions")] == ["w3", "w2", "w1", "w0"]
    recent = [(batch, rows, status) for batch, _, rows, status in answer(url, "list_recent_ingestions")]
    assert recent == [("w3", 0, "failed"), ("w2", 1, "completed"), ("w1", 2, "completed")]
    assert answer(url, "sum_ingested") == [(43,)]


def test_models(url: str) -> None:
    assert [row[1] for row in answer(url, "show_model_metrics")] == ["run_c_v3", "run_b_v2", "run_a_v1"]
    compared = [(version, before, change) for version, *_, before, change in answer(url, "compare_models")]
    assert compared == [("run_c_v3", 0.75, 0.0625), ("run_b_v2", 0.875, -0.125), ("run_a_v1", None, None)]
    assert answer(url, "find_best_model") == [("run_b_v2", 0.75, 0.25, 0.75)]


def test_drift_day_by_day(url: str) -> None:
    first, second = (NOON - timedelta(days=5)).date(), (NOON - timedelta(days=4)).date()
    assert answer(url, "trace_drift") == [
        (second, "rating_std", 0.125, False),
        (first, "rating_mean", pytest.approx(0.15), True),
    ]


def test_alerts_of_the_last_day(url: str) -> None:
    assert answer(url, "list_recent_alerts") == []
    assert answer(url, "recommend_retraining") == [("✅ NO ACTION REQUIRED",)]
    now(url, ("rating_mean", 0.2, 0.1, True), ("rating_std", 0.1, 0.15, False))
    assert [row[1:] for row in answer(url, "list_recent_alerts")] == [("rating_mean", 0.2, 0.1)]
    assert answer(url, "recommend_retraining") == [("🚨 RETRAINING NEEDED",)]


def test_the_newest_drift_results(url: str) -> None:
    now(url, *[("rating_mean", n / 100, 0.1, False) for n in range(9)])
    assert len(answer(url, "list_latest_drift")) == 10
    assert len(answer(url, "show_alerts")) == 6
    newest = {row[2] for row in answer(url, "list_latest_drift")}
    assert newest == {n / 100 for n in range(9)} | {0.125}


def test_ratings_by_split_in_the_order_of_time(url: str) -> None:
    assert [row[:2] for row in answer(url, "get_training_data")] == [(1, 2), (2, 1), (1, 1), (3, 1)]
    assert [row[:2] for row in answer(url, "get_test_data")] == [(3, 3), (2, 2)]
    combined = [row[3] for row in answer(url, "get_combined_data")]
    assert combined == [50, 100, 200, 300, 400, 600, 700]


def test_distributions_of_train_and_buffer(url: str) -> None:
    # A rating that only the buffer has (0.5) is not in the seed's answer: the baseline's ratings are what is listed.
    assert answer(url, "compare_rating_distributions") == [
        (3.0, 1, 0, 1),
        (3.5, 1, 0, 1),
        (4.0, 1, 2, -1),
        (5.0, 1, 0, 1),
    ]


def test_the_most_popular_movies(url: str) -> None:
    assert answer(url, "rank_popular_movies") == [
        ("Toy Story (1995)", "Animation|Children|Comedy", 3, Decimal("4.17")),
        ("Jumanji (1995)", "Children|Fantasy", 1, Decimal("3.00")),
    ]


def test_what_tables_weigh(url: str) -> None:
    sizes = {table: size for _, table, _, size in answer(url, "measure_tables")}
    assert {"ratings", "ratings_buffer", "movies", "ingestion_metadata", "model_metrics", "drift_alerts"} <= set(sizes)
    assert sizes["ratings"] > 0


def test_every_query_is_asked_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    asked = [name for name in statement_names() if name.startswith("analytics/")]
    assert len(asked) == 24
    assert [name for name in asked if f'"{name.removeprefix("analytics/")}"' not in source] == []


def test_clearing_the_buffer_by_hand_is_known_to_the_ledger(postgres: Postgres, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO ops.batches (batch_id, md5, rows, place) VALUES ('w1', 'a', 2, 'buffer')")
        assert connection.execute(statement("reference/clear_buffer").encode()).rowcount == 3
        assert connection.execute("SELECT batch_id, place FROM ops.batches").fetchall() == [("w1", "deleted")]


def test_merging_the_buffer_by_hand_keeps_each_row_s_batch(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO ops.batches (batch_id, md5, rows, place) VALUES ('w1', 'a', 2, 'buffer')")
        assert connection.execute(statement("reference/merge_buffer").encode()).rowcount == 3
        merged = connection.execute(
            "SELECT userid, movieid, rating, timestamp, batch_id FROM ratings "
            "WHERE batch_id IS NOT NULL AND data_split = 'train' ORDER BY timestamp"
        ).fetchall()
        assert merged == sorted(BUFFER, key=lambda row: row[3])
        assert connection.execute("SELECT count(*) FROM ratings_buffer").fetchone() == (0,)
        assert connection.execute("SELECT place FROM ops.batches").fetchall() == [("merged",)]
