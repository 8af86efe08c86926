import logging

import pytest

from cinematch_assets.storage.base import MissingObjectError, StoreError
from cinematch_assets.storage.opening import open_store


def test_a_refusal_by_s3_names_object_and_setting_and_is_logged(aws: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(
        StoreError, match=r"a in the store s3://no-such-bucket-here/x \(CINEMATCH_STORE\): .*NoSuchBucket"
    ):
        open_store("s3://no-such-bucket-here/x").put_bytes("a", b"")
    (record,) = [record for record in caplog.records if record.name == "cinematch_assets.storage.s3"]
    assert record.levelno == logging.WARNING
    assert "NoSuchBucket" in record.getMessage()


def test_a_missing_object_is_no_warning(aws: str, caplog: pytest.LogCaptureFixture) -> None:
    import boto3

    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="empty", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    with pytest.raises(MissingObjectError):
        open_store("s3://empty/x").read_bytes("a")
    assert [record for record in caplog.records if record.name == "cinematch_assets.storage.s3"] == []


def test_no_credential_is_in_a_log_or_message(
    aws: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-secret-key")
    caplog.set_level(logging.DEBUG, logger="cinematch_assets")
    with pytest.raises(StoreError) as fault:
        open_store("s3://no-such-bucket-here/x").put_bytes("a", b"")
    assert "canary" not in f"{fault.value}{caplog.text}"
