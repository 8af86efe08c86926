"""The champion's lists for everybody, kept beside the model so that a rollback brings them back with it.

Here: making and storing them. Not here: ranking (``recommender``), one person's questions (``answering``).
"""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message, load_champion
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.data import Pairs
from cinematch_assets.warehouse import champion as champion_table
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.champion import require_champion
from cinematch_assets.warehouse.recommendations import write_recommendations
from cinematch_assets.warehouse.training_data import seen_pairs

LIST_LENGTH = 10
_COLUMNS = ["userId", "rank", "movieId", "score"]


@dataclass(frozen=True, slots=True)
class Lists:
    """What was written."""

    version: str
    rows: int
    users: int
    movies: int


def publish_recommendations(platform: Platform, k: int = LIST_LENGTH) -> Lists:
    """Write ``k`` movies for each user who has rated any, none of which he has rated in any table or split."""
    version, model = load_champion(platform)
    users, movies = seen_pairs(platform.warehouse.url)
    top = model.recommend(np.unique(users), k, seen=Pairs(users, movies))
    lists = top.to_frame()[_COLUMNS]
    buffer = io.BytesIO()
    lists.to_parquet(buffer, index=False)
    platform.store.put_bytes(_key(version.version), buffer.getvalue())
    with platform.warehouse.connect() as connection:
        rows = write_recommendations(connection, version.version, lists)
    return Lists(version.version, rows, int(lists["userId"].nunique()), int(lists["movieId"].nunique()))


def roll_back(platform: Platform) -> tuple[str, str]:
    """Make the version that the champion replaced champion again, with its lists; return (now, before).

    Raises:
        CinematchError: the champion is the first one, or the former one's lists were never written.
    """
    with platform.warehouse.connect() as connection:
        champion = require_champion(connection)
    if champion.replaced is None:
        raise CinematchError(f"{champion.version} replaced nobody: there is no earlier champion to go back to")
    return set_champion(platform, champion.replaced, f"rolled back from {champion.version}"), champion.version


def set_champion(platform: Platform, version: str, reason: str) -> str:
    """Make a promoted version champion, with the lists it had; return it."""
    with platform.warehouse.connect() as connection:
        row = model_registry.model_version(connection, version)
    if row.state != "promoted":
        raise CinematchError(f"{version} is {row.state}: only a version that passed the gate may become champion")
    if FormatStatus.of(row) is not FormatStatus.READABLE:
        raise CinematchError(f"{format_message(row)}: it cannot become champion again")
    if not platform.store.exists(_key(version)):
        raise CinematchError(
            f"{version} has no recommendations in the store: materialize recommendations under it first"
        )
    lists = pd.read_parquet(io.BytesIO(platform.store.read_bytes(_key(version))))
    with platform.warehouse.connect() as connection:
        champion_table.set_champion(connection, version, lists, reason)
    return version


def _key(version: str) -> str:
    return f"recommendations/{version}.parquet"
