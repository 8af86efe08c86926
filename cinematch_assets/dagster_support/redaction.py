"""Take rows of erased people out of Dagster's own storage, where checks of quarantined rows show them.

Here: how a row looks there. Not here: which rows (``pipeline.erasure``), the storage (``dagster_support.instance``).
"""

import json
from collections.abc import Iterable

from cinematch_assets.dagster_support.instance import storage_url
from cinematch_assets.dagster_support.markdown import plain
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.erasures import redact_dagster
from cinematch_assets.warehouse.server_files import server_folder

ERASED = "| erased |"


def redact_rows(settings: Settings, raw_rows: Iterable[str]) -> int:
    """Replace each row's cell by ``ERASED`` in events and checks; return how many of those changed.

    Without a URL and without the embedded server's data Dagster has no storage, and none is made for this.
    """
    if settings.dagster_postgres_url is None and not server_folder(settings.home).exists():
        return 0
    return redact_dagster(storage_url(settings), sorted(set(map(_cell, raw_rows))), ERASED)


def _cell(raw_row: str) -> str:
    """The row's cell as ``table_checks`` shows it, in the JSON of an event."""
    return json.dumps(f"| {plain(raw_row)} |")[1:-1]
