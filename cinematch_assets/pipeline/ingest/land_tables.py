"""Bring a table's file from the folder into the store, and write that down.

Here: one file of one table. Not here: reading its rows (``loading``).
"""

from cinematch_assets.drive.folder import find_table
from cinematch_assets.drive.landing import Landed, land
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.landed_files import record_landing


def land_table(platform: Platform, table: str) -> Landed:
    """Land ``movies``, ``ratings`` or ``batches/<batch_id>``, unchanged and verified, unless its content is there."""
    file = find_table(platform.folder, table)
    landed = land(platform.folder, file, platform.store)
    with platform.warehouse.connect() as connection:
        record_landing(connection, file.path, file.md5, file.size, landed.key)
    return landed
