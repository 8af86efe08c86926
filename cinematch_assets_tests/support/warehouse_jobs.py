"""What other processes do in these tests; imported once by their server, so that starting one costs nothing."""

import time
from pathlib import Path

import pandas as pd

from cinematch_assets.warehouse.audit import record_settings
from cinematch_assets.warehouse.batches import load_batch, start_batch
from cinematch_assets.warehouse.champion import promote
from cinematch_assets.warehouse.collection_ledger import take_fetched
from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.embedded import embedded_url
from cinematch_assets.warehouse.migrations import migrate
from cinematch_assets.warehouse.netflix import load_collection
from cinematch_assets.warehouse.table_sizes import archive_alerts
from cinematch_assets_tests.support import warehouse_rows
from cinematch_assets_tests.support.workers import die_at


def run_migrations(url: str, die: int = 0) -> None:
    if die:
        die_at(die)
    migrate(url)


def load_ratings_file(url: str, ratings: pd.DataFrame, content: str, die: int = 0) -> None:
    if die:
        die_at(die)
    with connect(url) as connection:
        warehouse_rows.load_file(connection, ratings, content)


def load_batch_file(url: str, batch_id: str, ratings: pd.DataFrame, content: str, die: int = 0) -> None:
    if die:
        die_at(die)
    with connect(url) as connection:
        start_batch(connection, batch_id, warehouse_rows.land(connection, f"batches/{batch_id}.csv", content))
        warehouse_rows.load(connection, batch_id, ratings, content)


def load_newest_content(url: str, batch_id: str, contents: dict[str, pd.DataFrame], content: str) -> None:
    """Land a content, and load the one that was landed last, as a run does; ``contents`` is what each reads as."""
    with connect(url) as connection:
        file = warehouse_rows.land(connection, f"batches/{batch_id}.csv", content)
        (rows,) = (rows for name, rows in contents.items() if warehouse_rows.md5_of(name) == file.md5)
        start_batch(connection, batch_id, file)
        load_batch(connection, batch_id, rows, file)


def promote_version(url: str, version: str, over: str | None, die: int = 0) -> None:
    if die:
        die_at(die)
    with connect(url) as connection:
        final = warehouse_rows.make_artifact(f"final-{version}")
        promote(connection, version, final, warehouse_rows.make_gate_result(), over=over, data_size=1, merge="merge")


def record_one_setting(url: str) -> None:
    with connect(url) as connection:
        record_settings(connection, "here", {"CINEMATCH_SEED": 7}, {"CINEMATCH_SEED": 42})


def archive_old_alerts(url: str, die: int = 0) -> None:
    if die:
        die_at(die)
    with connect(url) as connection:
        archive_alerts(connection)


def collect_files(url: str, contents: dict[str, pd.DataFrame], limit: int, die: int = 0, pause_s: float = 0.0) -> None:
    """Work the ledger's queue until it is empty; ``contents`` is what each file reads as."""
    if die:
        die_at(die)
    with connect(url) as connection:
        while True:
            with connection.transaction():
                taken = take_fetched(connection, limit)
                if not taken:
                    return
                time.sleep(pause_s)
                accepted = pd.concat([contents[file.file_id] for file in taken])
                load_collection(connection, taken, accepted)


def hold_embedded_server(home: str, ready: str) -> None:
    """Start the embedded server, commit a row, leave another uncommitted, and wait to be killed."""
    url = embedded_url(Path(home))
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        with connection.transaction():
            connection.execute("INSERT INTO kept VALUES (2)")
            Path(ready).write_text("ready")
            time.sleep(600)


def open_embedded_server(home: str) -> None:
    migrate(embedded_url(Path(home)))
