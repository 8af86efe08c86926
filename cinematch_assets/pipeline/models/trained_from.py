"""What a version was trained from, as the registry keeps it: loads of each table, counts of rows, hashes.

Here: the record, made at training. Not here: the loads (``warehouse.table_loads``), training on them once more
(``pipeline.models.rebuild_version``).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.table_names import BATCHES
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.table_loads import MOVIES
from cinematch_assets.warehouse.training_data import TrainingData

RATINGS = "ratings"


@dataclass(frozen=True, slots=True)
class TrainedFrom:
    """The sources of a version; tables are ``movies``, ``ratings`` and ``batches/<batch_id>``."""

    loads: Mapping[str, int]
    """Table → its last load that the version knew."""
    rows: Mapping[str, int]
    """Table → its training rows, those of pairs that are rated in several tables included."""
    held_out: tuple[str, ...]
    """Batches whose newest rows the version was not trained on."""
    ratings_md5: str
    catalogue_md5: str
    settings_md5: str

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Restore what ``to_dict`` wrote."""
        return cls(**{**stored, "held_out": tuple(stored["held_out"])})

    def to_dict(self) -> dict[str, Any]:
        """Return the record as values for JSON."""
        return {**asdict(self), "held_out": list(self.held_out)}


def describe_training(
    data: TrainingData,
    batches: tuple[TrainedBatch, ...],
    train: Ratings,
    catalogue: Catalogue,
    *,
    movies_load: int | None,
    config: RecommenderConfig,
    seed: int,
    is_held_out: bool,
) -> TrainedFrom:
    """Describe a training on ``train``, which is of ``data`` with only ``batches`` of those that wait.

    Args:
        data: all ratings that are accepted.
        batches: the batches of the buffer that are trained on.
        train: the rows that the model is fitted on.
        catalogue: its movies.
        movies_load: the load of movies that the catalogue is from.
        config: of the model.
        seed: of its random numbers.
        is_held_out: whether the newest rows of the waiting batches are left out.
    """
    wanted = {(batch.batch_id, batch.md5) for batch in batches}
    waiting = {
        batch_table(batch.batch_id): batch.rows
        for batch in data.waiting_batches()
        if (batch.batch_id, batch.md5) in wanted
    }
    merged = data.merged.groupby("batch_id", sort=True).size()
    rows = {
        RATINGS: len(data.file),
        **{batch_table(str(batch)): int(count) for batch, count in merged.items()},
        **waiting,
    }
    loads = {table: load for table, load in data.loads.items() if rows.get(table)}
    return TrainedFrom(
        loads=loads if movies_load is None else {MOVIES: movies_load, **loads},
        rows=rows,
        held_out=tuple(waiting) if is_held_out else (),
        ratings_md5=hash_ratings(train),
        catalogue_md5=hash_catalogue(catalogue),
        settings_md5=hash_settings(config.model_dump(mode="json"), seed),
    )


def batch_table(batch_id: str) -> str:
    """Return the name under which the ledger has a batch."""
    return f"{BATCHES}/{batch_id}"


def hash_ratings(rows: Ratings) -> str:
    """Hash all four columns, in their canonical order."""
    return _md5(rows.users.tobytes(), rows.movies.tobytes(), rows.ratings.tobytes(), rows.timestamps.tobytes())


def hash_catalogue(catalogue: Catalogue) -> str:
    """Hash ids, titles, genres and features."""
    texts = json.dumps([catalogue.titles, catalogue.genres]).encode()
    return _md5(catalogue.movies.tobytes(), texts, catalogue.features.tobytes())


def hash_settings(config: Mapping[str, Any], seed: int) -> str:
    """Hash a configuration and a seed as the registry has them."""
    return _md5(json.dumps([config, seed], sort_keys=True).encode())


def _md5(*parts: bytes) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
