import multiprocessing
import os
import signal
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from cinematch_assets.storage.atomic_file import WriteError
from cinematch_assets.storage.store import LocalStore, MissingObjectError, Store, StoreError, open_store


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


def test_what_was_put_is_read_back(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "model.npz"
    source.write_bytes(content := os.urandom(100_000))
    store.put("models/run_1_v1.npz", source)
    store.put_bytes("reports/drift.html", b"<html>")
    with store.path("models/run_1_v1.npz") as local:
        assert local.read_bytes() == content
        assert local.suffix == ".npz"
    assert store.read_bytes("reports/drift.html") == b"<html>"
    assert store.size("models/run_1_v1.npz") == 100_000
    assert source.exists()


def test_putting_again_replaces(store: Store) -> None:
    store.put_bytes("a", b"1")
    store.put_bytes("a", b"22")
    assert (store.read_bytes("a"), store.size("a")) == (b"22", 2)


def test_objects_know_when_they_were_written(store: Store) -> None:
    store.put_bytes("a", b"1")
    assert abs(store.written_at("a") - datetime.now(tz=UTC)) < timedelta(minutes=1)


def test_keys_come_in_order_by_prefix(store: Store) -> None:
    for key in ("b/2", "a", "b/1", "bc", "b/c/3"):
        store.put_bytes(key, b"")
    assert list(store.keys()) == ["a", "b/1", "b/2", "b/c/3", "bc"]
    assert list(store.keys("b/")) == ["b/1", "b/2", "b/c/3"]
    assert list(store.keys("b")) == ["b/1", "b/2", "b/c/3", "bc"]
    assert list(store.keys("nothing/here")) == []


def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: Store) -> None:
    store.put_bytes("a/b", b"1")
    assert store.exists("a/b")
    for _ in range(2):
        store.delete("a/b")
    assert not store.exists("a/b")
    assert not store.exists("a")


def test_a_missing_object_is_named(store: Store) -> None:
    for ask in (store.read_bytes, store.size, store.written_at, lambda key: store.path(key).__enter__()):
        with pytest.raises(MissingObjectError, match=r"There is no models/none\.npz in the store"):
            ask("models/none.npz")


NO_KEYS = (
    *("", "/etc/passwd", "../outside", "a/../../b", "a//b", "a/./b", ".hidden", "a/.staging", "a\\b", "a\nb"),
    *("a\0b", "a" * 300, "/".join(["abcdefgh"] * 200)),
)


def test_keys_that_are_no_names_are_refused(store: Store) -> None:
    for key in NO_KEYS:
        with pytest.raises(StoreError, match="cannot be a key"):
            store.put_bytes(key, b"x")
        with pytest.raises(StoreError, match="cannot be a key"):
            store.read_bytes(key)
        with pytest.raises(StoreError, match="cannot be a key"), store.staged(key):
            pass
    assert list(store.keys()) == []


def test_a_staged_file_appears_when_the_block_ends(store: Store) -> None:
    with store.staged("a/b.csv") as unfinished:
        unfinished.write_bytes(b"123")
        assert not store.exists("a/b.csv")
        assert list(store.keys()) == []
    assert store.read_bytes("a/b.csv") == b"123"
    assert not unfinished.exists()


def test_a_staged_file_whose_block_fails_stays_out_but_can_be_continued(store: Store) -> None:
    def fail() -> None:
        with store.staged("a") as unfinished:
            unfinished.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not store.exists("a")
    with store.staged("a") as unfinished:
        assert unfinished.read_bytes() == b"half"
    assert store.read_bytes("a") == b"half"


def test_nothing_staged_is_nothing_stored(store: Store) -> None:
    with store.staged("a"):
        pass
    assert list(store.keys()) == []


def test_staging_is_one_holder_at_a_time(store: Store) -> None:
    inside, most = [0], [0]

    def stage() -> None:
        with store.staged("a") as unfinished:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            unfinished.write_bytes(b"x")
            time.sleep(0.01)
            inside[0] -= 1

    threads = [threading.Thread(target=stage) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert store.read_bytes("a") == b"x"


def _stage_and_hang(root: Path, ready: "multiprocessing.synchronize.Event") -> None:
    with LocalStore(root).staged("a") as unfinished:
        unfinished.write_bytes(b"half")
        ready.set()
        time.sleep(60)


def test_a_killed_holder_blocks_nobody(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_stage_and_hang, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    store = LocalStore(tmp_path)
    assert list(store.keys()) == []
    with store.staged("a") as unfinished:
        assert unfinished.read_bytes() == b"half"


def test_what_killed_processes_left_is_swept_unless_it_is_held(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.forget_unfinished(timedelta(0)) == 0
    with store.staged("held") as unfinished:
        unfinished.write_bytes(b"half")
        left = tmp_path / ".staging" / "0123.room"
        left.mkdir()
        (left / "object").write_bytes(b"half")
        (tmp_path / ".staging" / ".4567.unfinished").write_bytes(b"half")
        assert store.forget_unfinished(timedelta(hours=1)) == 0
        assert store.forget_unfinished(timedelta(seconds=-1)) == 2
        assert not left.exists()
    assert store.read_bytes("held") == b"half"


def test_a_failed_write_leaves_the_old_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    store.put_bytes("a", b"old")

    def no_room(descriptor: int, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cinematch_assets.storage.atomic_file.write_all", no_room)
    with pytest.raises(WriteError, match=r"/a: the disk is full"):
        store.put_bytes("a", b"new")
    assert store.read_bytes("a") == b"old"
    assert list((tmp_path / ".staging").iterdir()) == []


def test_a_link_does_not_lead_out_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "store" / "way_out").symlink_to(tmp_path / "outside")
    store = LocalStore(tmp_path / "store")
    with pytest.raises(StoreError, match="leads out of the store"):
        store.put_bytes("way_out/a", b"x")
    with pytest.raises(StoreError, match="leads out of the store"):
        list(store.keys("../outside/"))
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_local_store_is_not_made_by_looking(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    assert list(store.keys()) == []
    assert not store.exists("a")
    assert not (tmp_path / "store").exists()


def test_addresses_tell_where_objects_are(tmp_path: Path, aws: str) -> None:
    assert open_store(str(tmp_path)).uri("a b/c") == f"file://{tmp_path}/a%20b/c"
    assert open_store("s3://bucket/pre/fix/").uri("a/b") == "s3://bucket/pre/fix/a/b"


def test_s3_refusals_are_one_sentence(aws: str) -> None:
    with pytest.raises(
        StoreError, match=r"a in the store s3://no-such-bucket-here/x \(CINEMATCH_STORE\): .*NoSuchBucket"
    ):
        open_store("s3://no-such-bucket-here/x").put_bytes("a", b"")


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3:///x"])
def test_an_address_that_is_neither_path_nor_bucket_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=f"CINEMATCH_STORE={url}"):
        open_store(url)
