import multiprocessing
import os
import signal
import stat
import time
from datetime import timedelta
from pathlib import Path

import pytest

from cinematch_assets.storage.atomic_file import WriteError
from cinematch_assets.storage.base import StoreError
from cinematch_assets.storage.local import LocalStore


def _stage_and_hang(root: Path, ready: "multiprocessing.synchronize.Event") -> None:
    with LocalStore(root).staged("a") as unfinished:
        unfinished.write_bytes(b"half")
        ready.set()
        time.sleep(60)


def test_a_process_killed_while_staging_blocks_no_other_and_its_work_is_resumed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    worker = context.Process(target=_stage_and_hang, args=(tmp_path, ready))
    worker.start()
    assert ready.wait(30)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    store = LocalStore(tmp_path)
    assert list(store.keys()) == []
    with store.staged("a") as unfinished:
        assert unfinished.read_bytes() == b"half"


def test_unfinished_files_of_killed_processes_are_removed_unless_locked(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.remove_abandoned(timedelta(0)) == 0
    with store.staged("locked") as unfinished:
        unfinished.write_bytes(b"half")
        abandoned = tmp_path / ".staging" / "0123.locked"
        abandoned.mkdir()
        (abandoned / "object").write_bytes(b"half")
        (tmp_path / ".staging" / ".4567.unfinished").write_bytes(b"half")
        assert store.remove_abandoned(timedelta(hours=1)) == 0
        assert store.remove_abandoned(timedelta(seconds=-1)) == 2
        assert not abandoned.exists()
    assert store.read_bytes("locked") == b"half"


def test_a_failed_write_leaves_the_old_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    store.put_bytes("a", b"old")

    def fill_the_disk(descriptor: int, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cinematch_assets.storage.atomic_file.write_all", fill_the_disk)
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


def test_reading_does_not_make_the_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    assert list(store.keys()) == []
    assert not store.exists("a")
    assert not (tmp_path / "store").exists()


def test_objects_and_their_folders_are_their_user_s_alone(tmp_path: Path) -> None:
    root = tmp_path / "new" / "store"
    store, before = LocalStore(root), os.umask(0)
    try:
        store.put_bytes("reports/a.html", b"x")
        store.put("landed/b.csv", root / "reports" / "a.html")
        with store.staged("models/m.npz") as unfinished:
            unfinished.write_bytes(b"m")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in root.rglob("*") if each.is_file()}
    folders = {stat.S_IMODE(each.stat().st_mode) for each in root.rglob("*") if each.is_dir()}
    above = {stat.S_IMODE(each.stat().st_mode) for each in (root.parent, root)}
    assert (modes, folders) == ({0o600}, {0o700})
    assert above == {0o711 if os.geteuid() == 0 else 0o700}  # one of them may be root's home: see private_files
