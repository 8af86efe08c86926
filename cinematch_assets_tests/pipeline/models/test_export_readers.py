"""The exported lists as pandas, DuckDB and Spark read them by docs/how-to/export.md: the rows are those of Postgres.

Titles are those that readers have broken on: quotes, line ends of each kind, words for nothing, text that attacks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinematch_assets.pipeline.models.export_recommendations import COLUMNS, export_recommendations
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.spark_environment import SparkUnavailableError, require_spark
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets.storage.local import LocalStore
from cinematch_assets_tests.support.hostile import FORMULA_SIGNS, HOSTILE
from cinematch_assets_tests.support.page_blocks import blocks
from cinematch_assets_tests.support.platforms import rows_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "export.md"
TITLES = (
    *HOSTILE, "NA", "NULL", "nan", "None", "\\N", "", " ", "  led and followed  ", "a,b;c|d\te", 'Say "so", "or" not"',
    "'quoted'", "back\\slash\\", '\\"', "Two\nlines", "Two\r\nlines", "Two\rlines", "# no comment", "1", "1e5", "true",
    "2001-01-01", "Amélie (2001)", "七人の侍", "🎬",
)  # fmt: skip
ROWS = """
    SELECT r.userId, r.rank, r.movieId, r.score, r.model_version, m.title
    FROM recommendations r JOIN movies m USING (movieId) ORDER BY r.userId, r.rank
"""
Row = tuple[Any, ...]
AFTER_SPARK = """
import sys
def shown(frame):
    return {"types": dict(frame.dtypes), "rows": [list(row) for row in frame.collect()]}
Path(sys.argv[2]).write_text(json.dumps({"parquet": shown(parquet), "csv": shown(csv)}))
"""


@pytest.fixture
def folder(champion_platform: Platform, tmp_path: Path) -> Path:
    """The folder of an export whose lists hold each of ``TITLES``."""
    publish_recommendations(champion_platform, k=10)
    listed = rows_of(champion_platform, "SELECT movieId FROM recommendations GROUP BY 1 ORDER BY count(*) DESC, 1")
    assert len(listed) >= len(TITLES)
    with champion_platform.warehouse.connect() as connection:
        for place, (movie,) in enumerate(listed):
            title = TITLES[place % len(TITLES)]
            connection.execute("UPDATE movies SET title = %s WHERE movieId = %s", [title, movie])
    store = LocalStore(tmp_path / "elsewhere")
    return store.root / export_recommendations(champion_platform, store).folder


@pytest.fixture
def published_rows(folder: Path, champion_platform: Platform) -> list[Row]:
    """The rows of the table with their titles, scores as the 32 bits that they are."""
    rows = rows_of(champion_platform, ROWS)
    assert {row[-1] for row in rows} == set(TITLES)
    return [(*row[:3], float(np.float32(row[3])), *row[4:]) for row in rows]


def in_csv(rows: list[Row]) -> list[Row]:
    """The rows with the mark before what a spreadsheet would run."""
    return [(*row[:-1], f"'{row[-1]}" if row[-1].startswith(FORMULA_SIGNS) else row[-1]) for row in rows]


def block(title: str) -> str:
    (found,) = (each.text for each in blocks(PAGE) if each.title == title)
    return found


def read_by_the_page(title: str, folder: Path) -> tuple[Any, Any]:
    """What the block calls ``parquet`` and ``csv``."""
    names: dict[str, Any] = {"folder": str(folder)}
    exec(compile(block(title), str(PAGE), "exec"), names)  # noqa: S102  the page's own code
    return names["parquet"], names["csv"]


def test_pandas_reads_the_rows_of_the_table_from_both_files(folder: Path, published_rows: list[Row]) -> None:
    parquet, csv = read_by_the_page("pandas", folder)
    assert list(parquet.itertuples(index=False, name=None)) == published_rows
    assert list(csv.itertuples(index=False, name=None)) == in_csv(published_rows)
    numbers = {name: kind for name, (kind, _) in COLUMNS.items() if kind != "string"}
    for frame in (parquet, csv):
        assert list(frame.columns) == list(COLUMNS)
        assert {name: str(frame[name].dtype) for name in numbers} == numbers


def test_duckdb_reads_the_rows_of_the_table_from_both_files(folder: Path, published_rows: list[Row]) -> None:
    parquet, csv = read_by_the_page("DuckDB", folder)
    kinds = {"int16": "SMALLINT", "int32": "INTEGER", "float32": "FLOAT", "string": "VARCHAR"}
    for relation in (parquet, csv):
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        assert types == {name: kinds[kind] for name, (kind, _) in COLUMNS.items()}
    assert parquet.fetchall() == published_rows
    assert csv.fetchall() == in_csv(published_rows)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_spark_reads_the_rows_of_the_table_from_both_files(
    folder: Path, published_rows: list[Row], tmp_path: Path
) -> None:
    try:
        require_spark(Settings.from_env({"CINEMATCH_TRAINER": "spark"}))
    except SparkUnavailableError as missing:
        pytest.skip(str(missing))
    script, answer = tmp_path / "read.py", tmp_path / "answer.json"
    script.write_text(f"import sys\nfolder = sys.argv[1]\n{block('Spark')}\n{AFTER_SPARK}", encoding="utf-8")
    submit = "--master local[1] --conf spark.driver.host=127.0.0.1 --conf spark.ui.enabled=false pyspark-shell"
    environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": submit, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(answer)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    read = json.loads(answer.read_text(encoding="utf-8"))
    kinds = {"int16": "smallint", "int32": "int", "float32": "float", "string": "string"}
    for kind, rows in (("parquet", published_rows), ("csv", in_csv(published_rows))):
        assert read[kind]["types"] == {name: kinds[each] for name, (each, _) in COLUMNS.items()}
        assert [tuple(row) for row in read[kind]["rows"]] == rows
