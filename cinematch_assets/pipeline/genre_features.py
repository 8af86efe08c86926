"""Genres as ten numbers a movie, on a basis that is fitted once.

Here: reading movies, writing features. Not here: the projection (``features.genres``).
"""

import logging
from dataclasses import dataclass
from typing import Any

from cinematch_assets.features.genres import GenreBasis, GenreFeatures, fit_genre_basis, project_genres
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.movies import read_movies, read_stored_basis, write_features

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ProjectedMovies:
    """The features of all movies, and the number of rows that changed."""

    features: GenreFeatures
    rows_changed: int

    def as_metadata(self) -> dict[str, Any]:
        """Return the counts and the explained variance."""
        return {**self.features.as_metadata(), "rows_changed": self.rows_changed}


def project_movies(platform: Platform) -> ProjectedMovies:
    """Write each movie's features; the basis is fitted when none is stored, or only one without genres."""
    with log_phase(_LOG, "project movies"), platform.warehouse.session() as session:
        movies, _ = session.run(read_movies)
        stored = session.run(read_stored_basis)
        basis = GenreBasis.from_dict(stored) if stored else None
        if basis is None or basis.is_empty:
            basis = fit_genre_basis(movies["genres"].tolist())
        features = project_genres(movies, basis)
        changed = session.run(write_features, basis.to_dict(), features.explained_variance, features.rows())
    return ProjectedMovies(features, changed)
