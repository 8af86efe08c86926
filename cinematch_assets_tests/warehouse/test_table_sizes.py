import time

import psycopg
import pytest

from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets.warehouse.table_sizes import BULK_ROWS, archive_alerts, read_database_mb, read_table_sizes, vacuum
from cinematch_assets_tests.support import warehouse_jobs, workers
from cinematch_assets_tests.support.catalogue import catalogue
from cinematch_assets_tests.support.warehouse_rows import (
    count,
    load,
    load_file,
    make_random_ratings,
    make_recommendations,
    promote_candidate,
    read_rows,
)


def alerts(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO drift_alerts (alert_date, feature_name, drift_score, threshold, alert_triggered, notes, batch_id, "
        "baseline_rows, batch_rows) "
        "SELECT NOW() - make_interval(days => n), 'rating_mean', n / 10.0, 0.1, n > 1, 'Baseline: 3.540, New: 3.968', "
        "'w' || n, 700, 43 FROM generate_series(0, 59) AS n"
    )


def everything(connection: psycopg.Connection) -> list[object]:
    both = "(SELECT * FROM drift_alerts UNION ALL SELECT * FROM drift_alerts_archive) AS both_tables"
    return read_rows(
        connection, both, "id, alert_date, feature_name, drift_score, notes, batch_id, baseline_rows, batch_rows"
    )


def test_old_alerts_move_once_however_often_it_runs(connection: psycopg.Connection) -> None:
    alerts(connection)
    assert archive_alerts(connection) == 30  # those of 30 to 59 days ago; the 30th began 30 days before now
    assert archive_alerts(connection) == 0
    assert (count(connection, "drift_alerts"), count(connection, "drift_alerts_archive")) == (30, 30)
    assert len(everything(connection)) == 60
    assert count(connection, "drift_alerts WHERE alert_date < NOW() - INTERVAL '30 days'") == 0


@pytest.mark.faults("killed-orders")
def test_an_archiving_killed_at_any_order_loses_and_doubles_nothing(url: str) -> None:
    with connect(url) as connection:
        alerts(connection)
        kills = 0
        while workers.finish(workers.start(warehouse_jobs.archive_old_alerts, url, kills + 1)) == [-9]:
            kills += 1
            assert count(connection, "drift_alerts") == 60
        assert kills >= 3
        assert (count(connection, "drift_alerts"), count(connection, "drift_alerts_archive")) == (30, 30)


def test_two_at_once_move_each_alert_once(url: str) -> None:
    with connect(url) as connection:
        alerts(connection)
        assert workers.finish(*[workers.start(warehouse_jobs.archive_old_alerts, url) for _ in range(3)]) == [0, 0, 0]
        assert (count(connection, "drift_alerts"), count(connection, "drift_alerts_archive")) == (30, 30)


def test_rows_are_known_before_the_first_vacuum(url: str) -> None:
    with connect(url) as connection:
        connection.execute("ALTER TABLE drift_alerts SET (autovacuum_enabled = false)")
        alerts(connection)
    end = time.monotonic() + 60
    with connect(url) as connection:
        while {size.table: size.rows for size in read_table_sizes(connection)}["public.drift_alerts"] != 60:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_the_archive_is_read_by_the_roles_too(url: str) -> None:
    with connect(url) as connection:
        archive_alerts(connection)
        with connection.transaction():
            connection.execute("SET LOCAL ROLE analyst")
            assert count(connection, "drift_alerts_archive") == 0
    archive = {name.split(".")[1] for name in catalogue(url, "public") if name.startswith("drift_alerts_archive.")}
    alerts_table = {name.split(".")[1] for name in catalogue(url, "public") if name.startswith("drift_alerts.")}
    assert archive == alerts_table


def test_sizes_name_every_table_and_the_whole(connection: psycopg.Connection) -> None:
    load_file(connection, make_random_ratings(5_000))
    vacuum(connection)
    sizes = read_table_sizes(connection)
    assert sizes[0].table == "(database)"
    assert sizes[0].bytes == read_database_mb(connection) * 2**20
    by_table = {size.table: size for size in sizes}
    assert {"public.ratings", "netflix.movies", "ops.drive_files", "ops.rejected_rows"} <= set(by_table)
    assert by_table["public.ratings"].rows == 5_000
    assert sizes[0].bytes > by_table["public.ratings"].bytes > 5_000 * 60
    assert [size.bytes for size in sizes[1:]] == sorted((size.bytes for size in sizes[1:]), reverse=True)


def test_the_weekly_round_vacuums_and_analyzes(connection: psycopg.Connection) -> None:
    vacuum(connection)
    analyzed = "pg_stat_user_tables WHERE relname IN ('ratings', 'ratings_buffer', 'movies', 'recommendations')"
    assert count(connection, f"{analyzed} AND last_vacuum IS NOT NULL AND last_analyze IS NOT NULL") == 4


@pytest.mark.parametrize("user", [None, "ml_pipeline"])
@pytest.mark.parametrize("table", ["ratings", "ratings_buffer", "recommendations"])
def test_the_planner_knows_what_was_loaded_at_once(url: str, table: str, user: str | None) -> None:
    with connect(url, user=user) as connection:
        rows = make_random_ratings(BULK_ROWS)
        if table == "ratings":
            load_file(connection, rows)
        elif table == "ratings_buffer":
            load(connection, "w1", rows)
        else:
            version, _ = promote_candidate(connection, "first")
            lists = make_recommendations(*((user, 1, 30, 4.5) for user in range(1, BULK_ROWS + 1)))
            write_recommendations(connection, version, lists)
    with connect(url) as owner:
        assert count(owner, f"pg_stats WHERE tablename = '{table}' AND attname = 'userid'") == 1


def test_a_small_batch_leaves_the_statistics_to_autovacuum(connection: psycopg.Connection) -> None:
    load(connection, "w1", make_random_ratings(BULK_ROWS - 1))
    assert count(connection, "pg_stats WHERE tablename = 'ratings_buffer'") == 0


def test_ml_pipeline_archives_and_vacuums_by_itself(url: str) -> None:
    with connect(url) as owner:
        alerts(owner)
    with connect(url, user="ml_pipeline") as pipeline:
        assert archive_alerts(pipeline) == 30
        vacuum(pipeline)  # a warning of the server would say that it skipped a table
    with connect(url) as owner:
        assert count(owner, "pg_stat_user_tables WHERE last_analyze IS NOT NULL") >= 4
        has_maintain = owner.info.server_version >= 170_000
        assert (count(owner, "pg_stat_user_tables WHERE last_vacuum IS NOT NULL") >= 4) is has_maintain
