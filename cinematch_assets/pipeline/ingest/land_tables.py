"""Bring a table's file from the folder into the store, and record it.

Here: one file of one table. Not here: reading its rows (``pipeline.ingest.load_tables``).
"""

import logging

from cinematch_assets.drive.folder import find_table
from cinematch_assets.drive.landing import Landed, land
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.landed_files import record_landing

_LOG = logging.getLogger(__name__)


def land_table(platform: Platform, table: str) -> Landed:
    """Land ``movies``, ``ratings`` or ``batches/<batch_id>``, unchanged and verified, unless its content is landed."""
    file = find_table(platform.folder, table)
    with log_phase(_LOG, f"land {file.path}"):
        landed = land(platform.folder, file, platform.store)
        platform.warehouse.run(record_landing, file.path, file.md5, file.size, landed.key)
    return landed
