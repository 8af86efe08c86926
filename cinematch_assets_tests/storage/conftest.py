import uuid
from pathlib import Path

import boto3
import pytest

from cinematch_assets.storage.base import Store
from cinematch_assets.storage.opening import open_store


@pytest.fixture(params=["local", "s3", "s3 without a prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    request.getfixturevalue("aws")
    bucket = f"cinematch-{uuid.uuid4().hex[:12]}"
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    prefix = "/some/prefix" if request.param == "s3" else ""
    return open_store(f"s3://{bucket}{prefix}", scratch=tmp_path / "scratch")
