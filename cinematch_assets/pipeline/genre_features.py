"""Genres as ten numbers a movie, on a basis that stays once a model was trained on it.

Here: reading movies, writing features. Not here: the projection (``features.genres``).
"""

import logging
from dataclasses import dataclass
from typing import Any

from cinematch_assets.features.genres import (
    GenreBasis,
    GenreFeatures,
    fit_genre_basis,
    project_genres,
    unlikely_genres,
)
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.movies import read_stored_basis, read_stored_movies, write_features

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ProjectedMovies:
    """The features of all movies, and the number of rows that changed."""

    features: GenreFeatures
    rows_changed: int
    former_basis: str | None
    """Version of the basis that was in force before; None for the first one."""
    advice: str = ""
    """What is wrong with the genres, and what to do; empty when nothing is."""
    explained_by_feature: tuple[float, ...] = ()
    """The share of the genres' variance that each feature keeps, descending."""

    def as_metadata(self) -> dict[str, Any]:
        """Return the counts and the explained variance."""
        return {
            **self.features.as_metadata(),
            "rows_changed": self.rows_changed,
            "basis_is_new": self.features.basis_version != self.former_basis,
            **({"genres": self.advice} if self.advice else {}),
        }


def project_movies(platform: Platform, *, refit: bool = False) -> ProjectedMovies:
    """Write each movie's features.

    The basis is fitted on the catalogue as it is, until a model was trained on the features; from then on it stays,
    unless ``refit`` asks for a new version.
    """
    with log_phase(_LOG, "project movies"), platform.warehouse.session() as session:
        known = session.run(read_stored_movies)
        movies = known.frame
        stored = session.run(read_stored_basis)
        former = GenreBasis.from_dict(stored.content) if stored else None
        is_fixed = stored is not None and stored.is_trained_on and not refit
        basis = former if former and is_fixed and not former.is_empty else fit_genre_basis(movies["genres"].tolist())
        fitted = None if former and basis.version == former.version else basis.to_dict()
        features = project_genres(movies, basis)
        changed = session.run(
            write_features,
            fitted,
            features.explained_variance,
            features.rows(),
            basis=basis.version,
            known_movies=known.load,
        )
    advice = unlikely_genres(movies["genres"].tolist())
    by_feature = tuple(basis.explained_variance.tolist())
    return ProjectedMovies(features, changed, former.version if former else None, advice, by_feature)
