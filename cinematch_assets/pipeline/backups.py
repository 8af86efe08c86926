"""Backups: the database and the store in one place, and back onto an empty server.

Here: what a backup is, its order, incremental copies, the trial restore. Not here: dumping and comparing tables
(``warehouse.dump``), commands. The database is dumped first and objects are copied after it, so rows of the dump refer
only to objects that are there. A backup exists once its manifest does. Objects are kept by their hash, so what two
backups share is stored once. Dagster's own history is not part of it: what was loaded and decided is in the warehouse.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cinematch_assets.actor import Actor
from cinematch_assets.drive.landing import LANDED_PREFIX
from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.private_files import make_home, make_private_folder
from cinematch_assets.recommender.model import Recommender
from cinematch_assets.settings import Settings
from cinematch_assets.storage.base import MissingObjectError, Store
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.dump import TableContents, record_restore, require_empty_database, restore_database
from cinematch_assets.warehouse.embedded import stop_server
from cinematch_assets.warehouse.server_files import server_folder
from cinematch_assets.warehouse.warehouse import Warehouse, open_warehouse

KEPT = 8
"""Backups that stay in a target: two months of weeks."""
_FOLDER = "backups"
_OBJECTS = "objects"
_NEVER_CHANGE = ("models/", LANDED_PREFIX)
"""Keys that name their content by its hash: the same key and size is the same object."""
_MIN_AGE = timedelta(days=1)
"""Of an object before it is deleted for want of a backup that has it: another backup may be at work."""
_LOG = logging.getLogger(__name__)


class NoBackupError(CinematchError):
    """There is no such backup."""


class BackupPlaceError(CinematchError):
    """A backup cannot be made there."""


class BackupDamagedError(SurroundingsError):
    """A file of a backup is missing or is not what its manifest says; the message names it."""


class BackupIncompleteError(SurroundingsError):
    """An object that the dumped rows need was deleted while the store was copied; another backup may succeed."""


class StoreNotEmptyError(CinematchError):
    """A store that something would be restored into holds other objects."""


class Copied(BaseModel):
    """A file of the backup: hash and size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What a backup holds; written last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    made_at: datetime
    release: str
    server_version: int
    """As Postgres counts it, such as 180001."""
    champion: str | None
    dump: Copied
    tables: dict[str, TableContents]
    objects: dict[str, Copied]
    """By key of the store."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made, restored or tried."""

    name: str
    rows: int
    tables: int
    objects: int
    bytes: int
    """Of dump and objects."""
    copied_bytes: int = 0
    """Of them, what was not in the target before."""
    champion: str | None = None
    warnings: tuple[str, ...] = ()

    def as_metadata(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self) | {"champion": self.champion or "none", "warnings": list(self.warnings)}


def back_up(platform: Platform, target: Store, *, keep: int = KEPT) -> Backup:
    """Make a backup in ``target``, and delete there what is older than the newest ``keep``.

    Raises:
        BackupPlaceError: ``target`` lies in the platform's own store, and would copy itself.
        DumpError: the database cannot be dumped.
        BackupIncompleteError: maintenance deleted what the dump refers to.
    """
    if target.uri(_FOLDER).startswith(platform.store.uri(_FOLDER).removesuffix(_FOLDER)):
        raise BackupPlaceError(f"{target.uri(_FOLDER)} is in the platform's own store: choose another place")
    made_at = datetime.now(UTC)
    name = f"{made_at:%Y%m%dT%H%M%S%fZ}"
    champion = platform.warehouse.run(read_champion)
    before = _newest(target)
    at_first = set(platform.store.keys())
    with _scratch(platform.settings.home / "staging" / "backup") as folder:
        dump = folder / "warehouse.dump"
        with log_phase(_LOG, "dump the database"):
            contents = platform.warehouse.dump(dump)
        with log_phase(_LOG, "copy the store"):
            objects, copied = _copy_objects(platform.store, target, before.objects if before else {})
        if missing := sorted((contents.referenced_keys & at_first) - objects.keys()):
            raise BackupIncompleteError(f"{missing[0]} was deleted while the store was copied: back up again")
        dumped = Copied(sha256=_sha256(dump), bytes=dump.stat().st_size)
        target.put(_dump_key(name), dump)
    manifest = Manifest(
        format=1,
        made_at=made_at,
        release=installed_version("cinematch-assets"),
        server_version=contents.server_version,
        champion=champion.version if champion else None,
        dump=dumped,
        tables=dict(contents.tables),
        objects=objects,
    )
    target.put_bytes(_manifest_key(name), manifest.model_dump_json(indent=1).encode())
    _delete_older(target, keep)
    return _describe(name, manifest, copied_bytes=copied + dumped.bytes)


def back_up_as_configured(platform: Platform) -> Backup:
    """Make a backup where ``CINEMATCH_BACKUP`` says, and restore it into a scratch server.

    Raises:
        NoBackupError: the setting names no place.
        as ``back_up`` and ``try_restore``.
    """
    if platform.settings.backup is None:
        raise NoBackupError("CINEMATCH_BACKUP names no place for backups")
    target = open_store(platform.settings.backup, scratch=platform.settings.home.resolve() / "staging")
    made = back_up(platform, target)
    try_restore(platform.settings.home, target, made.name)
    return made


def restore(settings: Settings, source: Store, name: str | None = None, *, actor: Actor, reason: str) -> Backup:
    """Restore a backup, by default the newest, into the empty database and store that the settings name.

    Objects come first, and the database is one transaction: cut off, the same call goes on.

    Raises:
        NoBackupError: there is no such backup.
        BackupDamagedError: a file of it is not what the manifest says.
        StoreNotEmptyError: the store holds other objects.
        NotEmptyError: the database holds tables.
        RestoredOtherRowsError: a table differs from what was dumped.
    """
    name, manifest = find_backup(source, name)
    make_home(settings.home)
    require_empty_database(settings.warehouse_url, settings.home)
    store = open_store(settings.store_url, scratch=settings.home.resolve() / "staging")
    if others := sorted(set(store.keys()) - manifest.objects.keys()):
        raise StoreNotEmptyError(
            f"{store.uri(others[0])} is not of the backup, one of {count(len(others), 'such object')}: restore into an "
            "empty store"
        )
    with log_phase(_LOG, f"restore {count(len(manifest.objects), 'object')}"):
        for key, copied in manifest.objects.items():
            with _verified(source, _object_key(copied.sha256), copied) as file:
                store.put(key, file)
    warehouse, warnings = _restore_database(settings.warehouse_url, settings.home, source, name, manifest)
    warehouse.run(record_restore, name, reason, actor)
    return _describe(name, manifest, warnings=warnings)


def try_restore(home: Path, source: Store, name: str | None = None) -> Backup:
    """Restore a backup into a scratch server below ``home``, read every object and the champion, and delete all again.

    Raises:
        as ``restore``.
    """
    name, manifest = find_backup(source, name)
    for copied in manifest.objects.values():
        with _verified(source, _object_key(copied.sha256), copied):
            pass
    scratch = home.resolve() / "trial-restore"
    _remove_server(scratch)  # of a trial that was killed
    try:
        warehouse, _ = _restore_database(None, make_home(scratch), source, name, manifest)
        champion = warehouse.run(read_champion)
        if champion is not None:
            copied = manifest.objects[champion.artifact_key]
            with _verified(source, _object_key(copied.sha256), copied) as file:
                Recommender.from_bytes(file.read_bytes(), champion.artifact_sha256)
    finally:
        _remove_server(scratch)
    return _describe(name, manifest)


def list_backups(source: Store) -> list[str]:
    """Return the names of the backups, oldest first."""
    keys = (key.split("/") for key in source.keys(f"{_FOLDER}/"))
    return sorted(parts[1] for parts in keys if len(parts) == 3 and parts[2] == "manifest.json")


def find_backup(source: Store, name: str | None = None) -> tuple[str, Manifest]:
    """Return name and manifest of a backup, by default the newest.

    Raises:
        NoBackupError: naming those there are.
        BackupDamagedError: the manifest cannot be read.
    """
    names = list_backups(source)
    if not names:
        raise NoBackupError(f"there is no backup in {source.uri(_FOLDER)}: cinematch backup makes one")
    if name is not None and name not in names:
        raise NoBackupError(f"there is no backup {name}; there are {', '.join(names[-5:])}")
    chosen = name or names[-1]
    try:
        return chosen, Manifest.model_validate_json(source.read_bytes(_manifest_key(chosen)))
    except ValidationError as fault:
        raise BackupDamagedError(f"{source.uri(_manifest_key(chosen))} is no manifest of this release") from fault


def _newest(source: Store) -> Manifest | None:
    return find_backup(source)[1] if list_backups(source) else None


def _copy_objects(store: Store, target: Store, before: Mapping[str, Copied]) -> tuple[dict[str, Copied], int]:
    """Copy every object that the target misses; return all of them by key, and the bytes that were copied."""
    objects: dict[str, Copied] = {}
    copied_bytes = 0
    present = set(target.keys(f"{_OBJECTS}/"))
    for key in list(store.keys()):
        try:
            known = before.get(key)
            is_there = known and key.startswith(_NEVER_CHANGE) and _object_key(known.sha256) in present
            if known and is_there and known.bytes == store.size(key):
                objects[key] = known
                continue
            with store.path(key) as file:
                copied = Copied(sha256=_sha256(file), bytes=file.stat().st_size)
                if _object_key(copied.sha256) not in present:
                    target.put(_object_key(copied.sha256), file)
                    present.add(_object_key(copied.sha256))
                    copied_bytes += copied.bytes
        except MissingObjectError:  # deleted meanwhile; the caller knows whether it is needed
            continue
        objects[key] = copied
    return objects, copied_bytes


def _restore_database(
    url: str | None, home: Path, source: Store, name: str, manifest: Manifest
) -> tuple[Warehouse, tuple[str, ...]]:
    with _verified(source, _dump_key(name), manifest.dump) as dump, log_phase(_LOG, "restore the database"):
        warnings = restore_database(url, home, dump, manifest.tables)
    return open_warehouse(url, home), warnings


@contextmanager
def _verified(source: Store, key: str, copied: Copied) -> Iterator[Path]:
    """Give a file of a backup, once it was found to be what the manifest says."""
    try:
        with source.path(key) as file:
            if _sha256(file) != copied.sha256:
                raise BackupDamagedError(f"{source.uri(key)} was changed since the backup was made")
            yield file
    except MissingObjectError as missing:
        raise BackupDamagedError(f"{source.uri(key)} is missing") from missing


def _delete_older(target: Store, keep: int) -> None:
    """Delete all but the newest backups, and objects that none of those has."""
    names = list_backups(target)
    gone, kept = names[:-keep], names[-keep:]
    for name in gone:
        target.delete(_manifest_key(name))
        target.delete(_dump_key(name))
    if gone:
        wanted = {copied.sha256 for name in kept for copied in find_backup(target, name)[1].objects.values()}
        oldest = datetime.now(UTC) - _MIN_AGE
        for key in list(target.keys(f"{_OBJECTS}/")):
            if key.rpartition("/")[2] not in wanted and target.written_at(key) < oldest:
                target.delete(key)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield make_private_folder(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_server(home: Path) -> None:
    """Stop the server of a scratch home, and delete its data wherever they lie."""
    if home.exists():
        stop_server(home)
        data = server_folder(home)
        shutil.rmtree(home)
        shutil.rmtree(data, ignore_errors=True)


def _describe(name: str, manifest: Manifest, *, copied_bytes: int = 0, warnings: tuple[str, ...] = ()) -> Backup:
    return Backup(
        name=name,
        rows=sum(table.rows for table in manifest.tables.values()),
        tables=len(manifest.tables),
        objects=len(manifest.objects),
        bytes=manifest.dump.bytes + sum(copied.bytes for copied in manifest.objects.values()),
        copied_bytes=copied_bytes,
        champion=manifest.champion,
        warnings=warnings,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _object_key(sha256: str) -> str:
    return f"{_OBJECTS}/{sha256[:2]}/{sha256}"


def _manifest_key(name: str) -> str:
    return f"{_FOLDER}/{name}/manifest.json"


def _dump_key(name: str) -> str:
    return f"{_FOLDER}/{name}/warehouse.dump"
