"""The recommender as one thing: stars from a rating model, lists from a ranker, in one artifact.

Here: fitting both, asking both, storing both; which method is used and why. Not here: the methods (``biases``,
``bayes``, ``als``, ``ranking``), measuring (``evaluation``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cinematch_assets.recommender.answers import Predictions, Similar, TopN
from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack, unpack
from cinematch_assets.recommender.biases import fit_biases
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import (
    Catalogue,
    Floats,
    Ids,
    Pairs,
    Ratings,
    RecommenderInputError,
    UserMoviePairs,
    positions,
)
from cinematch_assets.recommender.stars import StarTable
from cinematch_assets.recommender.top import best_unseen

Progress = Callable[[str, float], None]
"""Told what is being done and the share of it that is done, 0 to 1."""

FORMAT = 1
STRANGER = 0
"""The user id on the lists of ``fold_in``; MovieLens numbers people from 1."""


@dataclass(frozen=True, slots=True)
class Recommender:
    """A fitted model. ``method`` names it, ``reason`` says why this one; ``films`` is the catalogue, ascending."""

    method: str
    reason: str
    stars: StarTable
    films: Ids

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Stars, spread and who is known, for each (user, movie) row; unknown ids get the best guess there is."""
        return self.stars.predict(users, movies)

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """At most ``k`` films per user out of ``candidates`` (None: the catalogue), none of his ``seen`` pairs."""
        return _ranked(self.stars, users, k, seen, self._films(candidates))

    def fold_in(self, likes: Sequence[tuple[int, float]], k: int = 10, *, candidates: Ids | None = None) -> TopN:
        """A list for someone who is not in the data, from (movie, stars) pairs, without retraining.

        Raises:
            RecommenderInputError: nothing is liked, or a liked movie is not in the catalogue.
        """
        if not likes:
            raise RecommenderInputError("name at least one film to start from")
        movies = np.array([movie for movie, _ in likes], np.int32)
        unknown = movies[~positions(movies, self.stars.movies)[1]]
        if len(unknown):
            raise RecommenderInputError(f"movie {unknown[0]} is not in the catalogue")
        table = self.stars.fold_in(movies, np.array([stars for _, stars in likes], np.float32))
        user = np.array([STRANGER], np.int32)
        return _ranked(table, user, k, Pairs(np.full(len(movies), STRANGER, np.int32), movies), self._films(candidates))

    def similar(self, movie: int, k: int) -> Similar:
        """The ``k`` films nearest to one.

        Raises:
            RecommenderInputError: the movie is not in the catalogue.
        """
        at, found = positions(np.array([movie], np.int32), self.films)
        if not found[0]:
            raise RecommenderInputError(f"movie {movie} is not in the catalogue")
        rows = self.stars.movie_rows(self.films)
        vectors = np.column_stack([self.stars.movie_factors[rows], self.stars.movie_bias[rows]])
        scores = _cosines(vectors, int(at[0]))
        scores[at[0]] = -np.inf
        best = np.lexsort((self.films, -scores))[: min(k, len(self.films) - 1)]
        return Similar(self.films[best], scores[best])

    def to_bytes(self) -> bytes:
        """The model as one artifact; equal models are equal bytes."""
        arrays = {f"stars.{name}": array for name, array in self.stars.arrays().items()} | {"films": self.films}
        return pack(arrays, {"format": FORMAT, "method": self.method, "reason": self.reason})

    @classmethod
    def from_bytes(cls, data: bytes, sha256: str) -> Recommender:
        """The model of ``to_bytes``, if its hash is the registered one.

        Raises:
            ArtifactRefusedError: another hash, a pickle, an object array, or a file of another kind.
        """
        arrays, facts = unpack(data, sha256)
        if facts.get("format") != FORMAT:
            raise ArtifactRefusedError(f"the model has format {facts.get('format')}, and this version reads {FORMAT}")
        stars = {name.removeprefix("stars."): array for name, array in arrays.items() if name.startswith("stars.")}
        try:
            return cls(str(facts["method"]), str(facts["reason"]), StarTable.from_arrays(stars), arrays["films"])
        except KeyError as error:
            raise ArtifactRefusedError(f"the model lacks {error}") from error

    def _films(self, candidates: Ids | None) -> Ids:
        return self.films if candidates is None else np.unique(candidates).astype(np.int32)


def fit_recommender(
    train: Ratings,
    catalogue: Catalogue,
    *,
    config: RecommenderConfig,
    seed: int,
    progress: Progress | None = None,
) -> Recommender:
    """Fit stars and lists on ``train``; of a (user, movie) rated more than once the newest rating counts.

    The same rows and seed give the same bytes, whatever the order of the rows and the number of threads.

    Raises:
        RecommenderInputError: there is nothing to train on.
    """
    rows = train.latest()
    if len(rows) == 0:
        raise RecommenderInputError("there are no ratings to train on")
    _ = config, seed
    (progress or _quiet)("biases", 0.0)
    stars = fit_biases(rows, catalogue, user_damping=5.0, movie_damping=5.0)
    (progress or _quiet)("biases", 1.0)
    films = np.union1d(rows.movies, catalogue.movies).astype(np.int32)
    return Recommender("biases", f"{len(rows):,} ratings", stars, films)


def sha256_of(data: bytes) -> str:
    """The hash under which an artifact is registered."""
    return hashlib.sha256(data).hexdigest()


def _ranked(stars: StarTable, users: Ids, k: int, seen: UserMoviePairs, films: Ids) -> TopN:
    owners, ranks, movies, scores = best_unseen(users, films, k, seen=seen, score=lambda some: stars.grid(some, films))
    answers = stars.predict(owners, movies)
    return TopN(owners, ranks, movies, scores, answers.stars, answers.spread)


def _cosines(vectors: Floats, row: int) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1)
    return np.asarray(vectors @ vectors[row] / np.maximum(lengths * lengths[row], 1e-12), np.float32)


def _quiet(_what: str, _share: float) -> None:
    """Nobody watches."""
