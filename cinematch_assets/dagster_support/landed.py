"""The materialization of a landed file."""

import dagster as dg

from cinematch_assets.dagster_support.metadata import uri_metadata
from cinematch_assets.drive.landing import Landed


def landed_result(landed: Landed, uri: str) -> dg.MaterializeResult:
    """Where the content is stored, its size and md5, and whether it was landed before; the md5 is its version."""
    metadata = {
        "dagster/uri": uri_metadata(uri),
        "file": dg.MetadataValue.text(landed.file_name),
        "size_bytes": dg.MetadataValue.int(landed.size),
        "md5": dg.MetadataValue.text(landed.md5),
        "landed_at": dg.MetadataValue.timestamp(landed.landed_at),
        "unchanged": dg.MetadataValue.bool(landed.unchanged),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(landed.md5))
