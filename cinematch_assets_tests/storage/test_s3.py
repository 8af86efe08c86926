import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from cinematch_assets.storage.base import MissingObjectError, StoreError
from cinematch_assets.storage.opening import open_store
from cinematch_assets.storage.s3 import S3Store, open_s3_client
from cinematch_assets_tests.support.faulty_network import FAULTS, HANG_S, FaultyNetwork, faulty_network
from cinematch_assets_tests.support.servers import wait_until

PART_BYTES = 8 << 20
SMALL = b"0123456789" * 20_000


@pytest.fixture
def network(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyNetwork]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="faulty", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    with faulty_network(aws) as network:
        monkeypatch.setenv("AWS_ENDPOINT_URL", network.url)
        yield network


@pytest.fixture
def store(network: FaultyNetwork, tmp_path: Path) -> S3Store:
    """A store whose client waits for a busy machine's answer."""
    return S3Store("faulty", "x", open_s3_client(read_timeout_s=60), tmp_path / "scratch")


def test_a_refusal_by_s3_names_object_and_setting_and_is_logged(aws: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(
        StoreError, match=r"a in the store s3://no-such-bucket-here/x \(CINEMATCH_STORE\): .*NoSuchBucket"
    ):
        open_store("s3://no-such-bucket-here/x").put_bytes("a", b"")
    (record,) = [record for record in caplog.records if record.name == "cinematch_assets.storage.s3"]
    assert record.levelno == logging.WARNING
    assert "NoSuchBucket" in record.getMessage()


def test_a_missing_object_is_no_warning(aws: str, caplog: pytest.LogCaptureFixture) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="empty", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    with pytest.raises(MissingObjectError):
        open_store("s3://empty/x").read_bytes("a")
    assert [record for record in caplog.records if record.name == "cinematch_assets.storage.s3"] == []


@pytest.mark.faults("secrets")
def test_no_credential_is_in_a_log_or_message(
    aws: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-secret-key")
    caplog.set_level(logging.DEBUG, logger="cinematch_assets")
    with pytest.raises(StoreError) as fault:
        open_store("s3://no-such-bucket-here/x").put_bytes("a", b"")
    assert "canary" not in f"{fault.value}{caplog.text}"


@pytest.mark.faults("s3")
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_of_each_kind_is_got_over(store: S3Store, network: FaultyNetwork, tmp_path: Path, fault: str) -> None:
    if fault == "hang":
        store = S3Store("faulty", "x", open_s3_client(read_timeout_s=HANG_S / 2), tmp_path / "scratch")
    for method, act in {
        "PUT": lambda: store.put_bytes("a", SMALL),
        "HEAD": lambda: store.size("a"),
        "GET": lambda: store.read_bytes("a"),
    }.items():
        network.in_turn(fault, method=method)
        act()
        assert network.seen.pop(fault) == 1
    assert store.read_bytes("a") == SMALL
    network.in_turn(fault, method="GET")
    with store.path("a") as local:
        assert local.read_bytes() == SMALL
    network.in_turn(fault, method="GET")
    assert list(store.keys()) == ["a"]


@pytest.mark.faults("s3")
def test_a_body_that_breaks_off_is_resumed_where_it_broke(store: S3Store, network: FaultyNetwork) -> None:
    content = os.urandom(3_000_000)
    store.put_bytes("a", content)
    network.headers.clear()
    network.in_turn("cut", "cut", method="GET")
    assert store.read_bytes("a") == content
    ranges = [headers.get("range") for method, _, headers in network.headers if method == "GET"]
    assert ranges[0] is None
    starts = [int(each.removeprefix("bytes=").rstrip("-")) for each in ranges[1:]]
    assert 0 < starts[0] < starts[1] < len(content)


@pytest.mark.faults("s3")
def test_what_always_arrives_altered_is_refused_and_named(store: S3Store, network: FaultyNetwork) -> None:
    store.put_bytes("a", SMALL)
    network.always("alter")
    with pytest.raises(StoreError, match=r"a in the store s3://faulty/x \(CINEMATCH_STORE\): what arrives is not"):
        store.read_bytes("a")
    with pytest.raises(StoreError, match="what arrives is not"), store.path("a"):
        pass


@pytest.mark.faults("s3")
@pytest.mark.parametrize("fault", ["slow", "reset", "cut"])
def test_a_fault_that_stays_is_one_error_and_nothing_is_stored(
    network: FaultyNetwork, tmp_path: Path, fault: str
) -> None:
    store = S3Store("faulty", "x", open_s3_client(read_timeout_s=60, max_attempts=2), tmp_path / "scratch")
    store.put_bytes("old", SMALL)
    network.always(fault)
    source = tmp_path / "new"
    source.write_bytes(SMALL)
    for act in (
        lambda: store.read_bytes("old"),
        lambda: store.path("old").__enter__(),
        lambda: list(store.keys()),
        # What has no body in its answer cannot be cut off.
        *([lambda: store.put_bytes("new", SMALL), lambda: store.put("new", source)] if fault != "cut" else []),
        *([lambda: store.size("old")] if fault != "cut" else []),
    ):
        with pytest.raises(StoreError, match=r"s3://faulty/x \(CINEMATCH_STORE\)") as raised:
            act()
        assert not isinstance(raised.value, MissingObjectError)
    network.always(None)
    assert list(store.keys()) == ["old"]


def test_uploads_carry_a_checksum_that_s3_compares(store: S3Store, network: FaultyNetwork, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(SMALL)
    store.put_bytes("a", SMALL)
    store.put("b", tmp_path / "source")
    puts = [headers for method, _, headers in network.headers if method == "PUT"]
    assert len(puts) == 2
    assert all(any(name.startswith("x-amz-checksum-") or name == "x-amz-trailer" for name in each) for each in puts)


@pytest.mark.faults("s3")
def test_a_large_object_goes_in_parts_through_faults_and_comes_back_whole(
    store: S3Store, network: FaultyNetwork, tmp_path: Path
) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(2 * PART_BYTES + 1))
    network.in_turn("slow", "reset", method="PUT")
    store.put("large", source)
    etag = store.client.head_object(Bucket="faulty", Key="x/large")["ETag"]
    assert etag.strip('"').endswith("-3"), "three parts"
    network.in_turn("cut", "reset", "slow", method="GET")
    with store.path("large") as local:
        assert local.read_bytes() == source.read_bytes()
    assert network.seen["slow"] == network.seen["reset"] == 2


def test_an_object_that_another_program_put_there_is_read(store: S3Store) -> None:
    store.client.put_object(Bucket="faulty", Key="x/theirs", Body=SMALL)
    assert store.read_bytes("theirs") == SMALL


@pytest.mark.faults("s3")
def test_an_object_that_is_replaced_while_it_is_read_is_the_old_one_or_the_new_one(
    store: S3Store, network: FaultyNetwork
) -> None:
    old, new = (os.urandom(3_000_000) for _ in range(2))
    store.put_bytes("a", old)
    gets = []

    def replace(method: str, _path: str) -> str | None:
        if method == "GET":
            gets.append(method)
            if len(gets) == 2:  # the first was cut, this one asks for the rest
                boto3.client("s3", endpoint_url=network.behind).put_object(Bucket="faulty", Key="x/a", Body=new)
            return "cut" if len(gets) == 1 else None
        return None

    network.fault_of = replace
    assert store.read_bytes("a") == new
    assert len(gets) > 2


UPLOADER = """
import sys
from pathlib import Path
from cinematch_assets.storage.opening import open_store
open_store("s3://faulty/x", scratch=Path(sys.argv[2])).put("large", Path(sys.argv[1]))
"""


@pytest.mark.faults("s3")
@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.slow
def test_a_kill_in_mid_upload_leaves_nothing_under_the_key(
    store: S3Store, network: FaultyNetwork, tmp_path: Path, part: int
) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(2 * PART_BYTES + 1))
    network.fault_of = lambda method, path: "hang" if method == "PUT" and f"partNumber={part}" in path else None
    with subprocess.Popen([sys.executable, "-c", UPLOADER, source, tmp_path / "scratch"]) as process:
        wait_until(lambda: network.seen["hang"] > 0, "the part that hangs", deadline_s=200)
        process.kill()
    network.always(None)
    assert not store.exists("large")
    assert list(store.keys()) == []
    begun = store.client.list_multipart_uploads(Bucket="faulty").get("Uploads", [])
    assert [each["Key"] for each in begun] == ["x/large"], "which the bucket's lifecycle rule ends"
    store.put("large", source)
    assert store.size("large") == 2 * PART_BYTES + 1
