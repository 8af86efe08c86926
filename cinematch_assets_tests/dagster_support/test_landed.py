from datetime import UTC, datetime

import dagster as dg

from cinematch_assets.dagster_support.landed import landed_result
from cinematch_assets.drive.landing import Landed


def test_metadata_names_location_content_and_time() -> None:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    landed = Landed("landed/x/y.csv", "movies.csv", 12, "0" * 32, when, unchanged=True)
    result = landed_result(landed, "s3://bucket/landed/x/y.csv")
    assert result.data_version == dg.DataVersion("0" * 32)
    metadata = {name: value.value for name, value in (result.metadata or {}).items()}
    assert metadata == {
        "dagster/uri": "s3://bucket/landed/x/y.csv",
        "file": "movies.csv",
        "size_bytes": 12,
        "md5": "0" * 32,
        "landed_at": when.timestamp(),
        "unchanged": True,
    }
