"""The recommender as one thing: stars from a rating model, lists from a ranker, in one artifact.

Here: fitting both, asking both, storing both; which method is used and why. Not here: the methods (``stars``,
``ranking``), measuring (``evaluation``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack, unpack
from cinematch_assets.recommender.config import BiasConfig, RecommenderConfig
from cinematch_assets.recommender.data import (
    Catalogue,
    Ids,
    Progress,
    Ratings,
    RecommenderInputError,
    UserMoviePairs,
    positions,
)
from cinematch_assets.recommender.protocol import Predictions, Similar, TopN
from cinematch_assets.recommender.ranking.ranker import Lists, Ranker, fit_ranker
from cinematch_assets.recommender.ranking.tuning import tuned
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

FORMAT = 3
UNKNOWN_USER = 0
"""The user id on the lists of ``fold_in``; MovieLens numbers people from 1."""


@dataclass(frozen=True, slots=True)
class Recommender:
    """A fitted model: ``method`` names its two parts, ``reason`` says why these, ``movies`` is the catalogue."""

    method: str
    reason: str
    stars: RatingTable
    ranker: Ranker
    movies: Ids

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Stars, spread and who is known, for each (user, movie) row; unknown ids get the best guess there is."""
        return self.stars.predict(users, movies)

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """At most ``k`` movies per user out of ``candidates`` (None: the catalogue), none of his ``seen`` pairs."""
        lists = self.ranker.top(users, k, seen, candidates, stars=self.stars)
        return _with_stars(lists, users, self.stars)

    def fold_in(self, likes: Sequence[tuple[int, float]], k: int = 10, *, candidates: Ids | None = None) -> TopN:
        """A list for someone who is not in the data, from (movie, stars) pairs, without retraining.

        Raises:
            RecommenderInputError: nothing is liked, or a liked movie is not in the catalogue.
        """
        if not likes:
            raise RecommenderInputError("name at least one movie to start from")
        liked = np.array([movie for movie, _ in likes], np.int32)
        self._refuse_unknown(liked)
        given = np.array([stars for _, stars in likes], np.float32)
        stars = self.stars.fold_in(liked, given)
        lists = self.ranker.top_folded(liked, given, k, candidates, stars=stars)
        return _with_stars(lists, np.array([UNKNOWN_USER], np.int32), stars)

    def similar(self, movie: int, k: int) -> Similar:
        """The ``k`` movies nearest to one, by who likes both and by genres, year and franchise (``nearness``).

        Raises:
            RecommenderInputError: the movie is not in the catalogue.
        """
        self._refuse_unknown(np.array([movie], np.int32))
        return self.ranker.similar(movie, k)

    def to_bytes(self) -> bytes:
        """The model as one artifact; equal models are equal bytes."""
        arrays = _named("stars", self.stars.arrays()) | _named("ranker", self.ranker.arrays()) | {"movies": self.movies}
        facts = {"format": FORMAT, "method": self.method, "reason": self.reason, "ranking": self.ranker.reason}
        return pack(arrays, facts)

    @classmethod
    def from_bytes(cls, data: bytes, sha256: str) -> Recommender:
        """The model of ``to_bytes``, if its hash is the registered one.

        Raises:
            ArtifactRefusedError: another hash, a pickle, an object array, or a file of another kind.
        """
        arrays, facts = unpack(data, sha256)
        if facts.get("format") != FORMAT:
            raise ArtifactRefusedError(f"the model has format {facts.get('format')}, and this version reads {FORMAT}")
        try:
            return cls(
                method=str(facts["method"]),
                reason=str(facts["reason"]),
                stars=RatingTable.from_arrays(_part("stars", arrays)),
                ranker=Ranker.from_arrays(_part("ranker", arrays), str(facts["ranking"])),
                movies=arrays["movies"],
            )
        except KeyError as error:
            raise ArtifactRefusedError(f"the model lacks {error}") from error

    def _refuse_unknown(self, movies: Ids) -> None:
        unknown = movies[~positions(movies, self.movies)[1]]
        if len(unknown):
            raise RecommenderInputError(f"movie {unknown[0]} is not in the catalogue")


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
    tell = progress or _quiet
    stars, name, reason = _fit_stars(rows, catalogue, config, seed, tell)
    ranker = fit_ranker(rows, catalogue, config=tuned(rows, catalogue, config.ranking, seed), seed=seed, progress=tell)
    return Recommender(
        method=f"{name} + {ranker.method}",
        reason=f"stars: {reason}; lists: {ranker.reason}",
        stars=stars,
        ranker=ranker,
        movies=np.union1d(rows.movies, catalogue.movies).astype(np.int32),
    )


def choose_method(rows: int, config: RecommenderConfig) -> tuple[str, str]:
    """The method for that many ratings, and why."""
    if config.method != "auto":
        return config.method, "as configured"
    if rows <= config.bayes_rows:
        return "bayes", f"{rows:,} ratings, at most {config.bayes_rows:,}: few enough to sample, which predicts best"
    return "als", f"{rows:,} ratings, over {config.bayes_rows:,}: too many to sample, so least squares"


def sha256_of(data: bytes) -> str:
    """The hash under which an artifact is registered."""
    return hashlib.sha256(data).hexdigest()


def _fit_stars(
    rows: Ratings, catalogue: Catalogue, config: RecommenderConfig, seed: int, tell: Progress
) -> tuple[RatingTable, str, str]:
    """The table of stars, its method's name, and why it was chosen."""
    rng = np.random.default_rng(seed)
    method, reason = choose_method(len(rows), config)
    if method == "biases":
        return fit_bias(rows, catalogue, BiasConfig(), rng, tell), method, reason
    if method == "als":
        from cinematch_assets.recommender.rating_prediction.als_table import fit_als_table  # noqa: PLC0415  loads numba

        return fit_als_table(rows, catalogue, config.als, rng, tell), method, reason
    from cinematch_assets.recommender.rating_prediction.bayesian_fm import (  # noqa: PLC0415  loads numba
        fit_bayesian_fm,
        plan_sampling,
    )

    plan = plan_sampling(len(rows), config)
    return fit_bayesian_fm(rows, catalogue, config, rng, tell), method, f"{reason}; {plan}"


def _with_stars(lists: Lists, users: Ids, stars: RatingTable) -> TopN:
    """Lists without their empty places, flat, with predictions beside them."""
    listed = lists.movies >= 0
    owners = np.broadcast_to(users[:, None], listed.shape)[listed].astype(np.int32)
    ranks = np.cumsum(listed, axis=1, dtype=np.int32)[listed]
    movies = lists.movies[listed]
    answers = stars.predict(owners, movies)
    return TopN(owners, ranks, movies, lists.scores[listed], answers.stars, answers.spread, answers.half_width)


def _named(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _part(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}.")}


def _quiet(_what: str, _share: float) -> None:
    """Nobody watches."""
