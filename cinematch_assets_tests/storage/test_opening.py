import os
import tempfile
from pathlib import Path

import pytest

from cinematch_assets.storage.base import StoreError
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.storage.opening import open_store
from cinematch_assets.storage.s3 import S3Store


def test_a_path_is_a_folder_and_an_s3_address_a_bucket(tmp_path: Path, aws: str) -> None:
    assert open_store(str(tmp_path)) == LocalStore(tmp_path)
    bucket = open_store("s3://bucket/pre/fix/")
    assert isinstance(bucket, S3Store)
    assert (bucket.bucket, bucket.prefix) == ("bucket", "pre/fix")


def test_addresses_lead_to_the_objects(tmp_path: Path, aws: str) -> None:
    assert open_store(str(tmp_path)).uri("a b/c") == f"file://{tmp_path}/a%20b/c"
    assert open_store("s3://bucket/pre/fix/").uri("a/b") == "s3://bucket/pre/fix/a/b"


def test_opening_makes_no_folder(tmp_path: Path) -> None:
    open_store(str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3:///x"])
def test_an_address_that_is_neither_path_nor_bucket_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=f"CINEMATCH_STORE={url}"):
        open_store(url)


@pytest.mark.parametrize("address", ["s3://AK:s3cret@b/p", "AK:s3cret@b/p", "//u:s3cret@h/x", "s3://b?key=s3cret"])
def test_an_address_with_credentials_is_refused_unrepeated(address: str) -> None:
    with pytest.raises(StoreError, match="holds a user or a password") as refused:
        open_store(address)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("kind", ["open", "a link", "a file"])
def test_a_scratch_folder_that_another_user_could_have_made_is_not_used(
    tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours = tmp_path / f"cinematch-{os.geteuid()}"
    if kind == "open":
        ours.mkdir()
        ours.chmod(0o777)
    elif kind == "a link":
        ours.symlink_to(tmp_path)
    else:
        ours.write_text("")
    with pytest.raises(StoreError, match="is not a folder of this user alone"):
        open_store("s3://bucket/prefix")
