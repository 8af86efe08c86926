"""A backup, and back: equal rows, the same answers, the next batch loads; what is damaged or in the way is named."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.pipeline import backups
from cinematch_assets.pipeline.backups import (
    BackupDamagedError,
    BackupIncompleteError,
    BackupPlaceError,
    NoBackupError,
    StoreNotEmptyError,
    back_up,
    find_backup,
    list_backups,
    restore,
    try_restore,
)
from cinematch_assets.pipeline.maintenance import run_maintenance
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.settings import Settings
from cinematch_assets.storage.local import LocalStore
from cinematch_assets.storage.opening import open_store
from cinematch_assets.storage.s3 import open_s3_client
from cinematch_assets.warehouse.audit import Action, list_audit_entries
from cinematch_assets.warehouse.dump import NotEmptyError
from cinematch_assets.warehouse.embedded import stop_server
from cinematch_assets_tests.support.platforms import (
    drop_history,
    load_table,
    make_platform,
    open_made_platform,
    rows_of,
    take_in_history,
)
from cinematch_assets_tests.support.servers import Postgres, short_folder

pytestmark = pytest.mark.faults("backup")

ADA = Actor("ada")
RATINGS = "SELECT userid, movieid, rating, timestamp, data_split FROM ratings ORDER BY 1, 2"
LISTS = "SELECT userid, rank, movieid, score, because FROM recommendations ORDER BY 1, 2"
RIGHTS = (
    "SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.role_table_grants "
    "WHERE grantee IN ('analyst', 'ml_pipeline') ORDER BY 1, 2, 3, 4"
)


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[Platform]:
    """A platform on an external server of version 18, with a champion and a batch in the buffer."""
    with migrated_database() as url:
        made = make_platform(tmp_path_factory.mktemp("backed_up"), url)
        drop_history(made, users=60, movies=40)
        take_in_history(made)
        gate_candidate(made, train_candidate(made, "11111111").version)
        publish_recommendations(made)
        load_table(made, f"batches/{simulate_next(made, rows=50).batch_id}")
        yield made


@pytest.fixture(scope="module")
def kept(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """A place with one backup; tests that change it copy it first."""
    target = LocalStore(tmp_path_factory.mktemp("backups"))
    back_up(platform, target)
    return target


@pytest.fixture
def copy(kept: LocalStore, tmp_path: Path) -> LocalStore:
    shutil.copytree(kept.root, tmp_path / "copy")
    return LocalStore(tmp_path / "copy")


def make_settings(home: Path, url: str | None = None) -> Settings:
    (home / "drive").mkdir(parents=True)
    return Settings.from_env({"CINEMATCH_HOME": str(home), **({"CINEMATCH_DATABASE_URL": url} if url else {})})


def assert_equal(restored: Platform, original: Platform) -> None:
    for query in (RATINGS, LISTS, RIGHTS):
        assert rows_of(restored, query) == rows_of(original, query)
    ours, theirs = load_champion(original), load_champion(restored)
    assert theirs[0].version == ours[0].version
    assert theirs[1].to_bytes() == ours[1].to_bytes()
    assert sorted(restored.store.keys()) == sorted(original.store.keys())


def test_restored_into_an_empty_server_it_goes_on(
    platform: Platform, kept: LocalStore, empty_database_url: str, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path / "home", empty_database_url)
    done = restore(settings, kept, actor=ADA, reason="a drill")
    assert (done.champion, done.warnings) == (load_champion(platform)[0].version, ())
    restored = Platform.open(settings)
    assert_equal(restored, platform)
    (entry,) = restored.warehouse.run(list_audit_entries, action=Action.RESTORE)
    assert (entry.subject, entry.actor, entry.reason) == (done.name, "ada", "a drill")
    batch = "userId,movieId,rating,timestamp\n1,1,4.0,1100000000\n2,2,3.5,1100000001\n"
    assert load_table(restored, "batches/batch_w9", batch).counts.accepted == 2
    sign_in = "&user=ml_pipeline" if "?" in empty_database_url else "?user=ml_pipeline"
    assert run_maintenance(open_made_platform(tmp_path / "home", empty_database_url + sign_in)).sizes
    temporary = "SELECT has_database_privilege('analyst', current_database(), 'TEMPORARY')"
    assert rows_of(restored, temporary) == [(False,)]


def test_from_an_old_server_to_the_embedded_one(
    platform: Platform, kept: LocalStore, postgres15: Postgres, tmp_path: Path
) -> None:
    with postgres15.database() as url, short_folder() as home:
        older = make_settings(tmp_path / "older", url)
        restore(older, kept, actor=ADA, reason="first leg")
        target = LocalStore(tmp_path / "second")
        made = back_up(Platform.open(older), target)
        settings = Settings.from_env({"CINEMATCH_HOME": str(home / "h")})
        try:
            assert restore(settings, target, made.name, actor=ADA, reason="second leg").rows == made.rows
            assert_equal(Platform.open(settings), platform)
        finally:
            stop_server(home / "h")


def test_to_a_bucket_and_back_into_another(platform: Platform, aws: str, postgres18: Postgres, tmp_path: Path) -> None:
    client = open_s3_client()
    for bucket in ("kept", "new"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    target = open_store("s3://kept/weekly", scratch=tmp_path)
    first = back_up(platform, target)
    assert back_up(platform, target, keep=1).copied_bytes < first.copied_bytes
    (name,) = list_backups(target)
    assert {key.partition("/")[0] for key in target.keys("")} == {"backups", "objects"}
    with postgres18.database() as url:
        settings = make_settings(tmp_path / "home", url).model_copy(update={"store": "s3://new/store"})
        assert restore(settings, target, name, actor=ADA, reason="a drill").objects == first.objects
        assert_equal(Platform.open(settings), platform)
    damaged = max(target.keys("objects/"))
    target.put_bytes(damaged, b"something else")
    with pytest.raises(BackupDamagedError, match=damaged):
        try_restore(tmp_path, target)


def test_a_trial_reads_everything_and_leaves_nothing(kept: LocalStore) -> None:
    with short_folder() as home:
        tried = try_restore(home, kept)
        assert tried.rows > 1_000
        assert [path.name for path in home.iterdir()] == []


def test_a_second_backup_copies_what_is_new(platform: Platform, copy: LocalStore) -> None:
    first = list_backups(copy)
    objects = set(copy.keys("objects/"))
    second = back_up(platform, copy)
    dump = find_backup(copy, second.name)[1].dump.bytes
    assert second.copied_bytes == dump
    assert set(copy.keys("objects/")) == objects
    platform.store.put_bytes("reports/new.html", b"new")
    try:
        assert back_up(platform, copy).copied_bytes - dump < 1_000
    finally:
        platform.store.delete("reports/new.html")
    assert list_backups(copy)[:1] == first


def test_older_backups_and_their_objects_are_deleted(
    platform: Platform, copy: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.put_bytes(f"objects/aa/{'a' * 64}", b"of a backup that is gone")
    (first,) = list_backups(copy)
    back_up(platform, copy, keep=1)
    assert first not in list_backups(copy)
    assert copy.exists(f"objects/aa/{'a' * 64}")  # perhaps of a backup that is being made
    monkeypatch.setattr(backups, "_MIN_AGE", timedelta(0))
    back_up(platform, copy, keep=1)
    assert not copy.exists(f"objects/aa/{'a' * 64}")
    name, manifest = find_backup(copy)
    assert list_backups(copy) == [name]
    assert {key.rpartition("/")[2] for key in copy.keys("objects/")} == {
        each.sha256 for each in manifest.objects.values()
    }


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_object_is_named_before_anything_is_restored(
    copy: LocalStore, empty_database_url: str, tmp_path: Path, damage: str
) -> None:
    key = max(copy.keys("objects/"))
    if damage == "changed":
        copy.put_bytes(key, b"something else")
    else:
        copy.delete(key)
    settings = make_settings(tmp_path / "home", empty_database_url)
    with pytest.raises(BackupDamagedError, match=key.rpartition("/")[2]):
        restore(settings, copy, actor=ADA, reason="a drill")
    with pytest.raises(BackupDamagedError, match=key.rpartition("/")[2]):
        try_restore(tmp_path, copy)


def test_a_restore_that_was_cut_off_goes_on(
    platform: Platform, copy: LocalStore, postgres18: Postgres, tmp_path: Path
) -> None:
    key = f"backups/{list_backups(copy)[0]}/warehouse.dump"
    whole = copy.read_bytes(key)
    copy.delete(key)
    with postgres18.database() as url:
        settings = make_settings(tmp_path / "home", url)
        with pytest.raises(BackupDamagedError, match=r"warehouse\.dump is missing"):
            restore(settings, copy, actor=ADA, reason="cut off")
        copy.put_bytes(key, whole)
        restore(settings, copy, actor=ADA, reason="again")
        assert_equal(Platform.open(settings), platform)
        with pytest.raises(NotEmptyError, match="the database holds"):
            restore(settings, copy, actor=ADA, reason="twice")


def test_a_store_with_other_objects_is_refused(kept: LocalStore, postgres18: Postgres, tmp_path: Path) -> None:
    with postgres18.database() as url:
        settings = make_settings(tmp_path / "home", url)
        LocalStore(tmp_path / "home" / "store").put_bytes("models/x.model", b"x")
        with pytest.raises(StoreNotEmptyError, match=r"models/x\.model is not of the backup"):
            restore(settings, kept, actor=ADA, reason="a drill")


def test_an_object_that_is_deleted_meanwhile_is_noticed(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = next(platform.store.keys("models/"))
    content = platform.store.read_bytes(artifact)
    honest = backups._copy_objects

    def lose(*args: object) -> object:
        platform.store.delete(artifact)
        return honest(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(backups, "_copy_objects", lose)
    target = LocalStore(tmp_path / "target")
    try:
        with pytest.raises(BackupIncompleteError, match=artifact):
            back_up(platform, target)
    finally:
        platform.store.put_bytes(artifact, content)
    assert list_backups(target) == []


@pytest.mark.parametrize("below", ["", "backups", "a/b"])
def test_the_store_itself_is_no_place_for_its_backups(platform: Platform, below: str) -> None:
    with pytest.raises(BackupPlaceError, match="is in the platform's own store"):
        back_up(platform, LocalStore(Path(platform.settings.store_url) / below))


def test_a_backup_that_is_not_there(kept: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(NoBackupError, match="there is no backup in "):
        find_backup(LocalStore(tmp_path / "nowhere"))
    with pytest.raises(NoBackupError, match="there is no backup 1999; there are "):
        find_backup(kept, "1999")
