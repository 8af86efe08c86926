"""What every store does, in a folder or a bucket."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cinematch_assets.storage.base import MissingObjectError, Store, StoreError


def test_an_object_is_read_back_as_it_was_put(store: Store, tmp_path: Path) -> None:
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


def test_objects_have_the_time_at_which_they_were_written(store: Store) -> None:
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
    for read in (store.read_bytes, store.size, store.written_at, lambda key: store.path(key).__enter__()):
        with pytest.raises(MissingObjectError, match=r"There is no models/none\.npz in the store"):
            read("models/none.npz")


NO_KEYS = (
    *("", "/etc/passwd", "../outside", "a/../../b", "a//b", "a/./b", ".hidden", "a/.staging", "a\\b", "a\nb"),
    *("a\0b", "a" * 300, "/".join(["abcdefgh"] * 200)),
)


def test_a_key_that_is_no_path_below_the_store_is_refused(store: Store) -> None:
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


def test_a_staged_file_whose_block_fails_is_not_stored_but_can_be_resumed(store: Store) -> None:
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


def test_a_staged_block_that_writes_nothing_stores_nothing(store: Store) -> None:
    with store.staged("a"):
        pass
    assert list(store.keys()) == []


def test_one_thread_at_a_time_stages_a_key(store: Store) -> None:
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
