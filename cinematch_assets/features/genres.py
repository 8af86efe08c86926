"""Ten numbers a movie from its genres: a basis that is fitted once, and the projection on it.

Here: fitting, projecting, and the basis as a document that can be stored and checked.
Not here: where the basis and the features are kept (``warehouse``), and what a model makes of them (``recommender``).
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

COMPONENTS = 10
NO_GENRES = "(no genres listed)"


class BasisRefusedError(CinematchError):
    """A stored genre basis is not what its version says, so features made with it would change their meaning."""


@dataclass(frozen=True, slots=True, eq=False)
class GenreBasis:
    """The principal axes of genre space: of a movie with 0/1 genres x, feature k is ``(x - mean) @ components[k]``.

    Axes beyond the rank of the data (fewer than ten genres or movies) are zero, so that a feature vector always has ten
    numbers; an empty basis (no movie had a genre) has ``genres == ()`` and may be fitted again.
    """

    genres: tuple[str, ...]
    mean: NDArray[np.float64]  # (n_genres,)
    components: NDArray[np.float64]  # (10, n_genres)
    explained_variance: NDArray[np.float64]  # (10,), shares of the whole, falling

    @property
    def version(self) -> str:
        """A name that follows from the content: equal bases have equal versions, and no two others do."""
        content = json.dumps(self._content(), sort_keys=True, separators=(",", ":"))
        return f"genres_{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def is_empty(self) -> bool:
        """Whether there was no genre to learn from: nothing has been projected on it, so fitting again is safe."""
        return not self.genres

    def to_dict(self) -> dict[str, Any]:
        """The basis as JSON-able values; floats keep every bit."""
        return {"version": self.version, **self._content()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "GenreBasis":
        """The basis that ``to_dict`` wrote.

        Raises:
            BasisRefusedError: the content is not the one that its version names.
        """
        genres = tuple(stored["genres"])
        basis = cls(
            genres=genres,
            mean=np.asarray(stored["mean"], dtype=np.float64),
            components=np.asarray(stored["components"], dtype=np.float64).reshape(COMPONENTS, len(genres)),
            explained_variance=np.asarray(stored["explained_variance"], dtype=np.float64),
        )
        if basis.version != stored["version"]:
            raise BasisRefusedError(f"genre basis {stored['version']} holds the content of {basis.version}")
        return basis

    def _content(self) -> dict[str, Any]:
        return {
            "genres": list(self.genres),
            "mean": self.mean.tolist(),
            "components": self.components.tolist(),
            "explained_variance": self.explained_variance.tolist(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class GenreFeatures:
    """Each movie's place in genre space, and what could not be placed."""

    basis_version: str
    movie_ids: NDArray[np.int32]  # (m,)
    points: NDArray[np.float32]  # (m, 10); a row of NaN where the movie has no genre that the basis knows
    unknown_genres: Mapping[str, int]  # genre → movies that carry it, for genres that the basis has never seen
    explained_variance: float  # share of the genres' variance that the ten numbers keep

    @property
    def placed(self) -> int:
        """Movies that have features."""
        return int(np.isfinite(self.points[:, 0]).sum())

    def rows(self) -> Iterator[tuple[int, list[float] | None]]:
        """Pairs ``(movieId, ten numbers)``, with None for a movie without genres: SQL's NULL."""
        for movie_id, point in zip(self.movie_ids.tolist(), self.points.tolist(), strict=True):
            yield movie_id, None if np.isnan(point[0]) else point

    def as_metadata(self) -> dict[str, Any]:
        """The counts that a person wants to see beside the asset."""
        return {
            "genre_basis": self.basis_version,
            "movies": len(self.movie_ids),
            "movies_with_features": self.placed,
            "movies_without_genres": len(self.movie_ids) - self.placed,
            "unknown_genres": dict(self.unknown_genres),
            "explained_variance": self.explained_variance,
        }


def split_genres(genres: str | None) -> tuple[str, ...]:
    """The genres of a movie, each once, out of ``Comedy|Drama``; none for NULL and for "(no genres listed)"."""
    if not isinstance(genres, str):  # a frame says NULL as None or NaN
        return ()
    names = (name.strip() for name in genres.split("|"))
    return tuple(dict.fromkeys(name for name in names if name and name != NO_GENRES))


def fit_genre_basis(genres: Sequence[str | None]) -> GenreBasis:
    """Learn the ten principal axes of the movies' genre vectors; movies without genres teach nothing.

    The movies' order does not matter. Each axis points to the side of its largest loading, so signs do not depend on
    the linear algebra library.
    """
    tagged = sorted(filter(None, (tuple(sorted(split_genres(each))) for each in genres)))
    names = tuple(sorted({name for movie in tagged for name in movie}))
    components = np.zeros((COMPONENTS, len(names)))
    explained = np.zeros(COMPONENTS)
    vectors = _indicators(tagged, names)
    rank = min(COMPONENTS, len(names), len(tagged) - 1)
    if rank > 0 and vectors.std(axis=0).any():
        from sklearn.decomposition import PCA  # noqa: PLC0415 - costs a second that importing the definitions must not

        pca = PCA(n_components=rank, svd_solver="full").fit(vectors)
        components[:rank] = _with_fixed_signs(pca.components_)
        explained[:rank] = pca.explained_variance_ratio_
    mean = vectors.mean(axis=0) if tagged else np.zeros(0)
    return GenreBasis(names, mean, components, explained)


def project_genres(titles: pd.DataFrame, basis: GenreBasis) -> GenreFeatures:
    """Place movies on a basis that stays as it is.

    Args:
        titles: columns ``movieId`` and ``genres``; other columns are ignored.
        basis: the fitted basis. Genres that it does not know are counted and otherwise ignored.
    """
    movies = [split_genres(each) for each in titles["genres"]]
    known = set(basis.genres)
    vectors = _indicators(movies, basis.genres)
    points = ((vectors - basis.mean) @ basis.components.T).astype(np.float32)
    points[~vectors.any(axis=1)] = np.nan
    unknown = Counter(name for movie in movies for name in movie if name not in known)
    return GenreFeatures(
        basis_version=basis.version,
        movie_ids=titles["movieId"].to_numpy(dtype=np.int32),
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
    """Turn each axis so that its largest loading is positive; of loadings equal to nine digits the first decides."""
    largest = np.abs(components).round(9).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    turned: NDArray[np.float64] = components * np.where(signs == 0, 1.0, signs)[:, None]
    return turned
