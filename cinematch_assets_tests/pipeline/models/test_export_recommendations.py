"""The lists as files: what other readers find, and that the pointer moves with the champion."""

import csv
import io
import json
import os
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.models.export_recommendations import (
    COLUMNS,
    LATEST_KEY,
    Export,
    export_recommendations,
    renew_export,
)
from cinematch_assets.pipeline.models.publish import publish_recommendations, roll_back
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.storage.local import LocalStore
from cinematch_assets_tests.support.hostile import FORMULA_SIGNS, HOSTILE
from cinematch_assets_tests.support.platforms import given_champion, rows_of

LISTS = "SELECT userid, rank, movieid, model_version FROM recommendations ORDER BY 1, 2"
KEYS = ["userId", "rank", "movieId", "model_version"]


@pytest.fixture
def published(champion_platform: Platform) -> Platform:
    publish_recommendations(champion_platform, k=3)
    return champion_platform


def read(platform: Platform, export: Export, name: str) -> bytes:
    return platform.store.read_bytes(f"{export.folder}/{name}")


def latest(platform: Platform) -> dict[str, object]:
    return json.loads(platform.store.read_bytes(LATEST_KEY))


def test_parquet_and_csv_hold_the_table_in_order_with_the_stated_types(published: Platform) -> None:
    export = export_recommendations(published)
    table = rows_of(published, LISTS)
    parquet = pq.read_table(io.BytesIO(read(published, export, "recommendations.parquet")))
    types = {field.name: str(field.type).removeprefix("large_").replace("float", "float32") for field in parquet.schema}
    assert {name: kind.replace("float3232", "float32") for name, kind in types.items()} == {
        name: kind for name, (kind, _) in COLUMNS.items()
    }
    frame = parquet.to_pandas()
    assert list(frame[KEYS].itertuples(index=False, name=None)) == table
    by_csv = pd.read_csv(io.BytesIO(read(published, export, "recommendations.csv")))
    assert list(by_csv[KEYS].itertuples(index=False, name=None)) == table
    assert list(by_csv.columns) == list(COLUMNS)
    schema = json.loads(read(published, export, "schema.json"))
    assert [column["name"] for column in schema["columns"]] == list(COLUMNS)


def test_latest_names_the_files_with_their_hashes(published: Platform) -> None:
    export = export_recommendations(published)
    named = latest(published)
    assert (named["folder"], named["rows"], named["users"]) == (export.folder, 600, 200)
    assert {file["name"]: file["bytes"] for file in named["files"]} == {
        name: len(read(published, export, name))
        for name in ("recommendations.parquet", "recommendations.csv", "schema.json")
    }


def test_the_same_lists_are_the_same_bytes(published: Platform, tmp_path: Path) -> None:
    first = export_recommendations(published)
    again = export_recommendations(published, LocalStore(tmp_path / "elsewhere"))
    assert again == first


def test_a_rollback_moves_the_pointer_back(published: Platform) -> None:
    first = export_recommendations(published)
    second = given_champion(published, over=first.model_version)
    assert renew_export(published).model_version == second
    assert latest(published)["model_version"] == second
    roll_back(published)
    assert latest(published)["folder"] == first.folder


def test_a_title_that_a_spreadsheet_would_run_is_marked_in_csv_alone(published: Platform) -> None:
    with published.warehouse.connect() as connection:
        connection.execute("UPDATE movies SET title = '=HYPERLINK(1), \"a\"' || movieId")
    export = export_recommendations(published)
    rows = list(csv.DictReader(io.StringIO(read(published, export, "recommendations.csv").decode())))
    assert all(row["title"] == f'\'=HYPERLINK(1), "a"{row["movieId"]}' for row in rows)
    frame = pd.read_parquet(io.BytesIO(read(published, export, "recommendations.parquet")))
    assert frame["title"].str.startswith("=HYPERLINK").all()


def test_no_title_begins_a_cell_with_what_a_spreadsheet_computes(published: Platform) -> None:
    titles = [*HOSTILE, *(f"{sign}1" for sign in FORMULA_SIGNS)]
    with published.warehouse.connect() as connection:
        for movie in range(1, 151):
            connection.execute("UPDATE movies SET title = %s WHERE movieId = %s", [titles[movie % len(titles)], movie])
    export = export_recommendations(published)
    rows = list(csv.DictReader(io.StringIO(read(published, export, "recommendations.csv").decode(), newline="")))
    written = {row["title"].removeprefix("'") for row in rows}
    assert len(written & set(titles)) > 10
    assert [row["title"] for row in rows if row["title"].startswith(FORMULA_SIGNS)] == []


def test_without_lists_there_is_nothing_to_export(platform: Platform) -> None:
    with pytest.raises(CinematchError, match="no recommendations to export yet"):
        export_recommendations(platform)
    assert renew_export(platform) is None


def test_maintenance_deletes_former_exports_and_keeps_the_newest(published: Platform) -> None:
    first = export_recommendations(published)
    publish_recommendations(published, k=2)
    second = export_recommendations(published)
    assert first.folder != second.folder
    for key in list(published.store.keys("exports/")):
        path = Path(published.store.uri(key).removeprefix("file://"))
        os.utime(path, (0, 0))
    run_maintenance(published, keep_days=int(timedelta(days=1).days))
    assert {key.rpartition("/")[0] for key in published.store.keys("exports/")} == {
        second.folder,
        LATEST_KEY.rpartition("/")[0],
    }
