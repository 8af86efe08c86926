"""Evidently's page of a batch: stored, and about people and films that the baseline knows."""

from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.drift import report
from cinematch_assets.pipeline.batch_drift import report_batch
from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_batch_file, load_movies_file, load_ratings_file
from cinematch_assets_tests.support.platforms import drop, drop_history, make_platform


def test_the_report_lies_in_the_store_and_knows_how_active_its_users_are(
    tmp_path: Path, database_url_18: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = make_platform(tmp_path, database_url_18)
    history = drop_history(platform)
    drop(platform, "batches/batch_w1.csv", history.sample(500, random_state=1))
    for table in ("movies", "ratings", "batches/batch_w1"):
        land_table(platform, table)
    load_movies_file(platform)
    load_ratings_file(platform)
    load_batch_file(platform, "batch_w1")
    drawn: list[pd.DataFrame] = []
    columns = report.report_columns
    monkeypatch.setattr(report, "report_columns", lambda *given: drawn.append(columns(*given)) or drawn[-1])
    uri = report_batch(platform, "batch_w1")
    assert b"<html" in Path(uri.removeprefix("file://")).read_bytes()[:2000]
    assert len(drawn) == 2
    assert not any((side["user_activity"] == "0 (new)").any() for side in drawn)
