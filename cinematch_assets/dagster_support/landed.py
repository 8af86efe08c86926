"""What a landed file's materialization says."""

import dagster as dg

from cinematch_assets.drive.landing import Landed


def landed_metadata(landed: Landed, uri: str) -> dict[str, dg.MetadataValue]:
    """Where the content lies, what it is, and whether it is news."""
    return {
        "dagster/uri": dg.MetadataValue.url(uri) if uri.startswith("s3") else dg.MetadataValue.path(uri),
        "file": dg.MetadataValue.text(landed.file_name),
        "size_bytes": dg.MetadataValue.int(landed.size),
        "md5": dg.MetadataValue.text(landed.md5),
        "landed_at": dg.MetadataValue.timestamp(landed.landed_at),
        "unchanged": dg.MetadataValue.bool(landed.unchanged),
    }
