"""Rule 11: what the seed's free tier holds, measured by the platform itself."""

import json

import numpy as np
import pandas as pd
import psycopg
import pytest

from cinematch_assets.values import RejectedRow
from cinematch_assets.warehouse.champion import promote
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.movies import load_movies, write_features
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets.warehouse.rejected_rows import replace_rejected_rows
from cinematch_assets.warehouse.table_sizes import read_database_mb, read_table_sizes, vacuum
from cinematch_assets_tests.support.warehouse_rows import (
    add_candidate,
    land,
    load,
    load_file,
    make_artifact,
    make_gate_result,
    make_random_ratings,
    md5_of,
)

BUDGET_MB = 450
USERS, MOVIES = 20_000, 60_000


def catalogue(connection: psycopg.Connection) -> None:
    random = np.random.default_rng(0)
    genres = ["Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Drama", "Fantasy", "Horror", "Sci-Fi"]
    movies = pd.DataFrame(
        {
            "movieId": np.arange(1, MOVIES + 1, dtype=np.int32),
            "title": [f"The Extraordinary Return of Number {n} ({1930 + n % 95})" for n in range(MOVIES)],
            "genres": ["|".join(random.choice(genres, 1 + n % 4, replace=False)) for n in range(MOVIES)],
        }
    )
    load_movies(connection, movies, land(connection, "movies.csv"))
    points = random.normal(size=(MOVIES, 10))
    basis = {"version": "v1", "axes": random.normal(size=(10, 20)).tolist()}
    write_features(connection, basis, 0.95, [(n + 1, points[n].tolist()) for n in range(MOVIES)])


def a_year(connection: psycopg.Connection) -> None:
    """52 weeks of batches, alerts, decisions, models, rejected rows; their ratings are weighed elsewhere."""
    for week in range(52):
        file = land(connection, f"batches/old_{week}.csv", f"content {week}")
        connection.execute(
            "INSERT INTO ingestion_metadata (batch_id, record_count, status, notes) VALUES (%s, 43, 'completed', %s)",
            [f"old_{week}", f"{file.path} loaded"],
        )
        connection.execute(
            "INSERT INTO drift_alerts (feature_name, drift_score, threshold, alert_triggered, notes, batch_id, "
            "baseline_rows, batch_rows) SELECT 'statistic ' || n, 0.1, 0.1, n = 1, 'Baseline: 3.540, New: 3.968', %s, "
            "700000, 43000 FROM generate_series(1, 5) AS n",
            [f"old_{week}"],
        )
        evidence = json.dumps({"null_spread": {f"statistic {n}": 0.01234567 for n in range(40)}})
        connection.execute(
            "INSERT INTO ops.retraining_decisions (batch_id, md5, due, reason, evidence, state) "
            "VALUES (%s, %s, true, %s, %s, 'retrained')",
            [f"old_{week}", file.md5, "rating_mean over threshold" * 3, evidence],
        )
        bad = [RejectedRow(n, f"{n},{n},9.9,{n}", ("rating is 9.9",)) for n in range(100)]
        replace_rejected_rows(connection, "ratings_buffer", {file.content: bad})


@pytest.mark.faults("budget")
@pytest.mark.slow
def test_a_year_fits_the_free_tier(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    ratings = make_random_ratings(1_000_000, seed=1, users=USERS, movies=2_000)
    with connect(database_url) as connection:
        catalogue(connection)
        load_file(connection, ratings)
        a_year(connection)
        for week in range(3):
            load(
                connection,
                f"w{week}",
                make_random_ratings(43_000, seed=10 + week, users=USERS, movies=2_000),
                f"w{week}",
            )
        version = add_candidate(connection, "run", TrainedBatch("none", md5_of("none"), 0))
        promote(connection, version, make_artifact("f"), make_gate_result(), over=None, data_size=1, merge="merge")
        users = np.repeat(np.arange(1, USERS + 1), 10)
        ranks = np.tile(np.arange(1, 11), USERS)
        lists = pd.DataFrame({"userId": users, "rank": ranks, "movieId": ranks * 7, "score": ranks / 2})
        write_recommendations(connection, version, lists)
        loaded = read_database_mb(connection)
        # The worst week: the whole ratings file comes again, before any vacuum.
        load_file(connection, make_random_ratings(1_000_000, seed=2, users=USERS, movies=2_000), "b")
        replaced = read_database_mb(connection)
        vacuum(connection)
        sizes = "\n".join(f"{size.table:32}{size.bytes / 2**20:8.1f} MB" for size in read_table_sizes(connection)[:9])
    with capsys.disabled():
        print(f"\n{loaded:.0f} MB loaded, {replaced:.0f} MB when the ratings file was replaced\n{sizes}")  # noqa: T201
    assert loaded <= BUDGET_MB
    assert replaced <= BUDGET_MB
