from datetime import UTC, datetime

from cinematch_assets.dagster_support.landed import landed_metadata
from cinematch_assets.drive.landing import Landed


def test_metadata_names_location_content_and_time() -> None:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    landed = Landed("landed/x/y.csv", "movies.csv", 12, "0" * 32, when, unchanged=True)
    metadata = {name: value.value for name, value in landed_metadata(landed, "s3://bucket/landed/x/y.csv").items()}
    assert metadata == {
        "dagster/uri": "s3://bucket/landed/x/y.csv",
        "file": "movies.csv",
        "size_bytes": 12,
        "md5": "0" * 32,
        "landed_at": when.timestamp(),
        "unchanged": True,
    }
