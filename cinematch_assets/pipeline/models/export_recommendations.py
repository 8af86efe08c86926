"""The champion's lists as files for other systems: Parquet, CSV, a schema, and a pointer to the newest.

Here: the contract and how it is written. Not here: making the lists (``pipeline.models.publish``).

One export is a folder named by version and content, so that it never changes once ``latest.json`` names it. That object
is written last and whole: a reader finds the old lists or the new ones. After a rollback it names the former ones.
"""

import csv
import hashlib
import io
import json
import logging
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.storage.base import Store
from cinematch_assets.warehouse.recommendations import read_recommended_version

EXPORT_PREFIX = "exports/recommendations"
LATEST_KEY = f"{EXPORT_PREFIX}/latest.json"
CONTRACT_VERSION = 1
"""Rises when a column is renamed, removed, retyped or reordered; a new column at the end leaves it."""
COLUMNS = {
    "userId": ("int32", "The user the list is for"),
    "rank": ("int16", "Position in the user's list, from 1 without gaps"),
    "movieId": ("int32", "The movie recommended"),
    "score": ("float32", "Score that the model ranks by; higher is better, comparable within one list alone"),
    "model_version": ("string", "The model that made the list"),
    "title": ("string", "Title as in the movies file; in CSV with a leading ' where a spreadsheet would see a formula"),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell begins with that a spreadsheet computes; the last four are the full-width forms of the first."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export: its name beside the others, its size in bytes and its hash."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Export:
    """An export: the folder's key in its store, whose lists they are, and the files."""

    folder: str
    model_version: str
    rows: int
    users: int
    files: tuple[ExportedFile, ...]

    def as_metadata(self) -> dict[str, Any]:
        """Return version, counts and the folder."""
        return {
            "version": self.model_version,
            "folder": self.folder,
            "users": self.users,
            "rows": self.rows,
        }

    @property
    def sha256(self) -> str:
        """The hash of the Parquet file, by which the content is known."""
        return next(file.sha256 for file in self.files if file.name.endswith(".parquet"))


def export_recommendations(platform: Platform, target: Store | None = None) -> Export:
    """Write the published lists into ``target``, by default the platform's store, and point ``latest.json`` to them.

    The same lists again write the same bytes.

    Raises:
        CinematchError: no lists were published yet.
    """
    target = target or platform.store
    with log_phase(_LOG, "read recommendations"):
        version = platform.warehouse.run(read_recommended_version)
        lists = platform.warehouse.read_titled_recommendations()
    if version is None:
        raise CinematchError("there are no recommendations to export yet: materialize recommendations first")
    if len(lists):  # another version may have been published between the two
        version = str(lists["model_version"].iloc[0])
    contents = {
        "recommendations.parquet": _parquet(lists),
        "recommendations.csv": _csv(lists),
        "schema.json": _json(_schema()),
    }
    folder = f"{EXPORT_PREFIX}/{version}-{_sha256(contents['recommendations.parquet'])[:12]}"
    with log_phase(_LOG, f"write {len(lists):,} recommendations to {target.uri(folder)}"):
        for name, content in contents.items():
            target.put_bytes(f"{folder}/{name}", content)
        files = tuple(ExportedFile(name, len(content), _sha256(content)) for name, content in contents.items())
        export = Export(folder, version, len(lists), int(lists["userId"].nunique()), files)
        target.put_bytes(LATEST_KEY, _json({"contract": CONTRACT_VERSION, **asdict(export)}))
    return export


def renew_export(platform: Platform) -> Export | None:
    """After another version became champion: export its lists, if the store has an export at all."""
    return export_recommendations(platform) if platform.store.exists(LATEST_KEY) else None


def keys_in_use(store: Store) -> set[str]:
    """The keys of the newest export; those of former exports are deleted by maintenance."""
    if not store.exists(LATEST_KEY):
        return set()
    latest = json.loads(store.read_bytes(LATEST_KEY))
    return {LATEST_KEY, *(f"{latest['folder']}/{file['name']}" for file in latest["files"])}


def _parquet(lists: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    lists.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _csv(lists: pd.DataFrame) -> bytes:
    is_formula = lists["title"].str.startswith(_FORMULA, na=False)
    titles = lists["title"].mask(is_formula, "'" + lists["title"])
    # Every text is quoted: the csv module leaves a carriage return bare, and readers take it for the end of the row.
    written = lists.assign(title=titles).to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return written.encode()


def _schema() -> dict[str, Any]:
    columns = [{"name": name, "type": kind, "description": text} for name, (kind, text) in COLUMNS.items()]
    return {"contract": CONTRACT_VERSION, "columns": columns, "order": ["userId", "rank"], "key": ["userId", "rank"]}


def _json(values: object) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
