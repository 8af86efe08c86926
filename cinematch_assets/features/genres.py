"""Genre features: a PCA basis of the genres that is fitted once, and the projection of movies on it.

Here: fitting, projecting, and the basis as a JSON document with a checked version. Not here: splitting the genres
column (``movielens``), storing the basis and the features (``warehouse.movies``), models (``recommender``).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.movielens import FEATURES, SEPARATOR, split_genres

MIN_MOVIES_TO_DOUBT = 20
MAX_GENRES_PER_MOVIE = 0.5
"""MovieLens has 19 genres for thousands of movies."""


class BasisRefusedError(CinematchError):
    """The content of a stored genre basis does not hash to its version: its features would have another meaning."""


@dataclass(frozen=True, slots=True, eq=False)
class GenreBasis:
    """Principal axes of genre space: for a movie with 0/1 genres x, feature k is ``(x - mean) @ components[k]``.

    Axes beyond the rank of the data (fewer than ten genres or movies) are zero, so that a feature vector always has ten
    numbers. An empty basis, fitted while no movie had a genre, has ``genres == ()``.
    """

    genres: tuple[str, ...]
    mean: NDArray[np.float64]  # (n_genres,)
    components: NDArray[np.float64]  # (10, n_genres)
    explained_variance: NDArray[np.float64]  # (10,), shares of the total, descending

    @property
    def version(self) -> str:
        """A hash of the content: bases have equal versions exactly when they are equal."""
        content = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return f"genres_{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def is_empty(self) -> bool:
        """Whether it was fitted without any genre; no movie has features on it, so it may be fitted again."""
        return not self.genres

    def to_dict(self) -> dict[str, Any]:
        """The basis as values for JSON; floats survive to the last bit."""
        return {"version": self.version, **self._content()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "GenreBasis":
        """Restore what ``to_dict`` wrote.

        Raises:
            BasisRefusedError: the content does not hash to the version.
        """
        genres = tuple(stored["genres"])
        basis = cls(
            genres=genres,
            mean=np.asarray(stored["mean"], dtype=np.float64),
            components=np.asarray(stored["components"], dtype=np.float64).reshape(FEATURES, len(genres)),
            explained_variance=np.asarray(stored["explained_variance"], dtype=np.float64),
        )
        if basis.version != stored["version"]:
            raise BasisRefusedError(f"genre basis {stored['version']} holds the content of {basis.version}")
        return basis

    def _content(self) -> dict[str, Any]:
        return {
            "genres": list(self.genres),
            "mean": self.mean.tolist(),
            "components": (self.components + 0.0).tolist(),  # Postgres' JSON has no negative zero
            "explained_variance": self.explained_variance.tolist(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class GenreFeatures:
    """The features of each movie, and the genres that the basis does not have."""

    basis_version: str
    movie_ids: NDArray[np.int32]  # (m,)
    points: NDArray[np.float32]  # (m, 10); a row of NaN for a movie without any genre of the basis
    unknown_genres: Mapping[str, int]  # genre → movies that have it, for genres that the basis does not have
    explained_variance: float  # share of the genres' variance that the features keep

    @property
    def projected(self) -> int:
        """Movies that have features."""
        return int(np.isfinite(self.points[:, 0]).sum())

    def rows(self) -> Iterator[tuple[int, list[float] | None]]:
        """Pairs ``(movieId, ten features)``; None, for NULL, where a movie has no genres."""
        for movie_id, point in zip(self.movie_ids.tolist(), self.points.tolist(), strict=True):
            yield movie_id, None if np.isnan(point[0]) else point

    def as_metadata(self) -> dict[str, Any]:
        """The counts for the asset's page."""
        return {
            "genre_basis": self.basis_version,
            "movies": len(self.movie_ids),
            "movies_with_features": self.projected,
            "movies_without_genres": len(self.movie_ids) - self.projected,
            "unknown_genres": dict(self.unknown_genres),
            "explained_variance": self.explained_variance,
        }


def unlikely_genres(genres: Sequence[str | None]) -> str:
    """Say so when the genres look like something else: nearly every movie has its own; empty when they do not."""
    listed = [names for names in map(split_genres, genres) if names]
    distinct = len({name for names in listed for name in names})
    if len(listed) < MIN_MOVIES_TO_DOUBT or distinct <= MAX_GENRES_PER_MOVIE * len(listed):
        return ""
    example = next(iter(listed))[0]
    return (
        f"{distinct:,} genres for {len(listed):,} movies, such as '{example[:60]}': they are almost all unique. "
        f"Separate the genres of a movie by '{SEPARATOR}' in the file of movies, as in 'Comedy{SEPARATOR}Drama'."
    )


def fit_genre_basis(genres: Sequence[str | None]) -> GenreBasis:
    """Fit the ten principal axes of the movies' genre vectors; movies without genres are ignored.

    The result does not depend on the order of the movies. The largest loading of each axis is positive, so signs do not
    depend on the linear algebra library.
    """
    listed = sorted(filter(None, (tuple(sorted(split_genres(each))) for each in genres)))
    names = tuple(sorted({name for movie in listed for name in movie}))
    components = np.zeros((FEATURES, len(names)))
    explained = np.zeros(FEATURES)
    vectors = _indicators(listed, names)
    rank = min(FEATURES, len(names), len(listed) - 1)
    if rank > 0 and vectors.std(axis=0).any():
        from sklearn.decomposition import PCA  # noqa: PLC0415 - costs a second that importing the definitions must not

        pca = PCA(n_components=rank, svd_solver="full").fit(vectors)
        components[:rank] = _with_fixed_signs(pca.components_)
        explained[:rank] = pca.explained_variance_ratio_
    mean = vectors.mean(axis=0) if listed else np.zeros(0)
    return GenreBasis(names, mean, components, explained)


def project_genres(movies: pd.DataFrame, basis: GenreBasis) -> GenreFeatures:
    """Project movies on a basis.

    Args:
        movies: columns ``movieId`` and ``genres``; other columns are ignored.
        basis: a fitted basis; genres that it does not have are counted and otherwise ignored.
    """
    genres = [split_genres(each) for each in movies["genres"]]
    known = set(basis.genres)
    vectors = _indicators(genres, basis.genres)
    points = ((vectors - basis.mean) @ basis.components.T).astype(np.float32)
    points[~vectors.any(axis=1)] = np.nan
    unknown = Counter(name for names in genres for name in names if name not in known)
    return GenreFeatures(
        basis_version=basis.version,
        movie_ids=movies["movieId"].to_numpy(dtype=np.int32),
        points=points,
        unknown_genres=dict(sorted(unknown.items())),
        explained_variance=float(basis.explained_variance.sum()),
    )


def _indicators(movies: Sequence[Sequence[str]], genres: Sequence[str]) -> NDArray[np.float64]:
    """0/1 vectors of shape (movies, genres)."""
    column = {name: position for position, name in enumerate(genres)}
    vectors = np.zeros((len(movies), len(genres)))
    for row, movie in enumerate(movies):
        vectors[row, [column[name] for name in movie if name in column]] = 1.0
    return vectors


def _with_fixed_signs(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make each axis' largest loading positive; of loadings equal to nine digits the first counts."""
    largest = np.abs(components).round(9).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    signed: NDArray[np.float64] = components * np.where(signs == 0, 1.0, signs)[:, None]
    return signed
