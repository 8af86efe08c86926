"""Rows of people in Dagster's own storage."""

from pathlib import Path

import dagster as dg
import psycopg
import pytest

from cinematch_assets.dagster_support.instance import prepare_home
from cinematch_assets.dagster_support.redaction import redact_rows
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop
from cinematch_assets_tests.support.servers import Postgres

THEIRS = ('777000111,1,"9|0",1000000001', "777000111,2")


@pytest.fixture
def settings(tmp_path: Path, postgres18: Postgres, monkeypatch: pytest.MonkeyPatch) -> Settings:
    with postgres18.database() as url:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
        monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "dagster"))
        yield Settings.from_env()


def test_before_dagster_s_first_start_there_is_nothing(settings: Settings) -> None:
    assert redact_rows(settings, THEIRS) == 0


def test_no_event_and_no_check_shows_their_rows_any_more(settings: Settings, platform: Platform) -> None:
    drop(platform, "movies.csv", MOVIES + "1,Heat (1995),Drama\n2,Ran (1985),Drama\n")
    good = "".join(f"{user},1,4.0,1000000000\n" for user in range(1, 101))
    drop(platform, "ratings.csv", RATINGS + good + "5,2,9.5,1\n" + "\n".join(THEIRS) + "\n")
    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
        run_job("load_catalog", platform, instance)
        assert places(settings) == {"event_logs", "asset_keys", "asset_check_executions"}
        assert redact_rows(settings, THEIRS) >= 2
        assert places(settings) == set()
        assert redact_rows(settings, THEIRS) == 0
        (check,) = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("ratings"), "rejected_rows"), limit=1
        )
        assert check.event is not None
        evaluation = check.event.dagster_event.event_specific_data
        assert "| erased |" in evaluation.description
        assert "5,2,9.5,1" in evaluation.description


def places(settings: Settings) -> set[str]:
    """Tables of Dagster's storage that hold the person's number."""
    assert settings.dagster_postgres_url is not None
    with psycopg.connect(settings.dagster_postgres_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            name
            for (name,) in tables
            if connection.execute(f"SELECT 1 FROM {name} t WHERE t::text LIKE '%777000111%'".encode()).fetchone()
        }
