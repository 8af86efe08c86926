"""Publish the champion's top-N recommendations, and change the champion by hand.

Here: making the recommendations of all users, and storing them beside the model, so that a rollback restores them. Not
here: ranking (``recommender.ranking``), questions about one user (``pipeline.models.query``).
"""

import io
import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cinematch_assets.errors import CinematchError
from cinematch_assets.ids import distinct
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message, load_champion
from cinematch_assets.pipeline.models.export_recommendations import renew_export
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.recommender.data import Pairs
from cinematch_assets.recommender.model import sha256_of
from cinematch_assets.warehouse import champion as champion_table
from cinematch_assets.warehouse.approval import approve
from cinematch_assets.warehouse.audit import Action
from cinematch_assets.warehouse.champion import require_champion
from cinematch_assets.warehouse.erasures import find_version_erasure
from cinematch_assets.warehouse.model_registry import read_model_version
from cinematch_assets.warehouse.recommendations import write_recommendations

MOVIES_PER_USER = 10
_COLUMNS = ["userId", "rank", "movieId", "score", "because"]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PublishedRecommendations:
    """The version that the recommendations are by, and how many rows, users and different movies they have."""

    version: str
    rows: int
    users: int
    movies: int
    sha256: str
    """Of the lists as they are stored."""
    concentration: tuple[float, ...]
    """Shares of all places that go to each tenth of the listed movies, the most listed ones first."""

    def as_metadata(self) -> dict[str, str | int]:
        """Return the version and the counts."""
        return {"version": self.version, "users": self.users, "different_movies": self.movies, "rows": self.rows}


def publish_recommendations(platform: Platform, k: int = MOVIES_PER_USER) -> PublishedRecommendations:
    """Write ``k`` movies for each user with ratings, none of which they have rated in any table or split."""
    version, model = load_champion(platform)
    with log_phase(_LOG, "read rated movies"):
        users, movies = platform.warehouse.read_seen_pairs()
    different = distinct(users)
    with log_phase(_LOG, f"rank movies for {count(len(different), 'user')}"):
        top = model.recommend(different, k, seen=Pairs(users, movies))
    with log_phase(_LOG, f"find the reasons of {len(top):,} recommendations"):
        recommendations = top.to_frame().assign(because=pd.Series(model.explain(top).lists(), dtype=object))[_COLUMNS]
    buffer = io.BytesIO()
    recommendations.to_parquet(buffer, index=False)
    content = buffer.getvalue()
    platform.store.put_bytes(_key(version.version), content)
    with log_phase(_LOG, f"write {len(recommendations):,} recommendations"):
        rows = platform.warehouse.run(write_recommendations, version.version, recommendations)
    return PublishedRecommendations(
        version.version,
        rows,
        int(recommendations["userId"].nunique()),
        int(recommendations["movieId"].nunique()),
        sha256_of(content),
        _concentration(recommendations["movieId"]),
    )


def _concentration(movies: pd.Series) -> tuple[float, ...]:
    """Shares of places by tenths of the listed movies; one of fewer than ten movies is empty."""
    counts = np.sort(np.unique(movies.to_numpy(), return_counts=True)[1])[::-1]
    return tuple(float(tenth.sum() / max(1, len(movies))) for tenth in np.array_split(counts, 10))


def roll_back(platform: Platform, reason: str | None = None) -> tuple[str, str]:
    """Make the previous champion champion again, with its recommendations; return the new and the former champion.

    ``reason`` is for the audit.

    Raises:
        CinematchError: the champion is the first one, or recommendations of the previous one were never published.
    """
    champion = platform.warehouse.run(require_champion)
    if champion.previous_champion is None:
        raise CinematchError(f"{champion.version} is the first champion: there is no previous one to go back to")
    why = f"rolled back from {champion.version}" + (f": {reason}" if reason else "")
    return set_champion(platform, champion.previous_champion, why, Action.ROLLBACK), champion.version


def set_champion(platform: Platform, version: str, reason: str, action: Action = Action.PROMOTION) -> str:
    """Make a version champion that was promoted before, with its recommendations, or that awaits approval; return it.

    ``reason`` is for the audit.

    Raises:
        CinematchError: the version did not pass the gate, expired, or cannot serve.
    """
    row = platform.warehouse.run(read_model_version, version)
    if row.state == "awaiting_approval":
        return _approve(platform, version, reason)
    if row.state != "promoted":
        raise CinematchError(f"{version} is {row.state}: only a version that passed the gate may become champion")
    erased_at = platform.warehouse.run(find_version_erasure, version)
    if erased_at is not None:
        raise CinematchError(
            f"{version} knew a person who was erased on {erased_at:%Y-%m-%d}: it cannot become champion again"
        )
    if FormatStatus.of(row) is not FormatStatus.READABLE:
        raise CinematchError(f"{format_message(row)}: it cannot become champion again")
    if not platform.store.exists(_key(version)):
        raise CinematchError(
            f"{version} has no recommendations in the store: materialize recommendations under it first"
        )
    recommendations = pd.read_parquet(io.BytesIO(platform.store.read_bytes(_key(version))))
    platform.warehouse.run(champion_table.set_champion, version, recommendations, reason, action, platform.actor)
    _LOG.info("%s is the champion now: %s", version, reason)
    renew_export(platform)
    return version


def _approve(platform: Platform, version: str, reason: str) -> str:
    """Promote a version, as the gate would have, and publish its recommendations.

    Killed between the two, the retraining sensor publishes them.
    """
    platform.warehouse.run(approve, version, reason, merge=platform.settings.merge, by=platform.actor)
    publish_recommendations(platform)
    renew_export(platform)
    return version


def _key(version: str) -> str:
    return f"recommendations/{version}.parquet"
