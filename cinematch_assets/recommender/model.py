"""The recommender: a rating model and a ranker, in one artifact.

Here: fitting both, asking both, storing both; which method is used and why. Not here: the methods
(``rating_prediction``, ``ranking``), measuring (``evaluation``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import distinct, positions
from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack, unpack
from cinematch_assets.recommender.config import BiasConfig, RecommenderConfig
from cinematch_assets.recommender.data import (
    Catalogue,
    Ids,
    Ratings,
    RecommenderInputError,
    UserMoviePairs,
)
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.protocol import Predictions, Reasons, Similar, TopN
from cinematch_assets.recommender.ranking.ranker import Ranker, Rankings, fit_ranker
from cinematch_assets.recommender.ranking.tuning import tune_ranking
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.rating_prediction.residual_als import ResidualTrainer, fit_residual_table

FORMAT = 4
UNKNOWN_USER = 0
"""The user id in the results of ``recommend_for_ratings``; MovieLens numbers users from 1."""


@dataclass(frozen=True, slots=True)
class Recommender:
    """A fitted model: ``method`` names its two parts, ``reason`` says why these, ``movies`` is the catalogue.

    ``computed_by`` has versions of what computed a part of it outside of this process; the artifact does not hold it.
    """

    method: str
    reason: str
    rating_table: RatingTable
    ranker: Ranker
    movies: Ids
    computed_by: Mapping[str, str] = field(default_factory=dict, compare=False)

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Predict the rating of each (user, movie) row; unknown ids get the cold-start prediction."""
        return self.rating_table.predict(users, movies)

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """Recommend at most ``k`` of ``candidates`` (None: the catalogue) per user, without their ``seen`` movies."""
        rankings = self.ranker.top(users, k, seen, candidates, rating_factors=self.rating_table)
        return _top_n(rankings, users, self.rating_table)

    def recommend_for_ratings(
        self, rated: Sequence[tuple[int, float]], k: int = 10, *, candidates: Ids | None = None
    ) -> TopN:
        """Recommend to a user who is not in the data, from their (movie, rating) pairs, without retraining (fold-in).

        Raises:
            RecommenderInputError: there is no pair, or a movie is not in the catalogue.
        """
        if not rated:
            raise RecommenderInputError("name at least one movie to start from")
        movies = np.array([movie for movie, _ in rated], np.int32)
        self._refuse_unknown(movies)
        ratings = np.array([rating for _, rating in rated], np.float32)
        table = self.rating_table.fold_in(movies, ratings)
        rankings = self.ranker.top_for_ratings(movies, ratings, k, candidates, rating_factors=table)
        return _top_n(rankings, np.array([UNKNOWN_USER], np.int32), table)

    def explain(self, top: TopN) -> Reasons:
        """The reasons of each row of ``recommend``; users without training ratings have none."""
        filled, listed = _by_user(top)
        reasons = self.ranker.reasons(top.users[top.ranks == 1], listed)
        return Reasons(reasons.movies[filled], reasons.contributions[filled])

    def explain_for_ratings(self, rated: Sequence[tuple[int, float]], top: TopN) -> Reasons:
        """The reasons of each row of ``recommend_for_ratings``, from the same (movie, rating) pairs."""
        filled, listed = _by_user(top)
        movies = np.array([movie for movie, _ in rated], np.int32)
        ratings = np.array([rating for _, rating in rated], np.float32)
        reasons = self.ranker.reasons_for_ratings(movies, ratings, listed)
        return Reasons(reasons.movies[filled], reasons.contributions[filled])

    def similar(self, movie: int, k: int) -> Similar:
        """The ``k`` movies most similar to one, by co-ratings, genres, year and franchise (``ranking.similar_items``).

        Raises:
            RecommenderInputError: the movie is not in the catalogue.
        """
        self._refuse_unknown(np.array([movie], np.int32))
        return self.ranker.similar(movie, k)

    def to_bytes(self) -> bytes:
        """The model as one artifact; equal models are equal bytes."""
        parts = {"rating_table": self.rating_table.arrays(), "ranker": self.ranker.arrays()}
        arrays = {f"{part}.{name}": array for part, own in parts.items() for name, array in own.items()}
        arrays["movies"] = self.movies
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
                rating_table=RatingTable.from_arrays(_part("rating_table", arrays)),
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
    residual_trainer: ResidualTrainer | None = None,
) -> Recommender:
    """Fit rating model and ranker on ``train``; of a (user, movie) rated more than once the newest rating counts.

    The same rows and seed give the same bytes, whatever the order of the rows and the number of threads, on one BLAS
    kernel, numba CPU and set of versions (``environment.computed_by``); elsewhere figures differ by rounding.

    Args:
        train: the ratings.
        catalogue: all movies that may be recommended.
        config: the hyperparameters, method included.
        seed: of all random numbers.
        progress: is told of each phase.
        residual_trainer: fits the factors of the method ``spark_als``, outside of this process.

    Raises:
        RecommenderInputError: there is nothing to train on, or the method needs a ``residual_trainer``.
    """
    rows = train.latest()
    if len(rows) == 0:
        raise RecommenderInputError("there are no ratings to train on")
    progress = progress or no_progress
    rating_table, name, reason, computed_by = _fit_ratings(rows, catalogue, config, seed, progress, residual_trainer)
    ranking = tune_ranking(rows, catalogue, config.ranking, seed)
    ranker = fit_ranker(rows, catalogue, ranking, np.random.default_rng(seed), progress)
    return Recommender(
        method=f"{name} + {ranker.method}",
        reason=f"ratings: {reason}; ranking: {ranker.reason}",
        rating_table=rating_table,
        ranker=ranker,
        movies=np.union1d(distinct(rows.movies), catalogue.movies).astype(np.int32),
        computed_by=computed_by,
    )


def choose_method(rows: int, config: RecommenderConfig) -> tuple[str, str]:
    """The method for this number of ratings, and why."""
    if config.method != "auto":
        return config.method, "as configured"
    limit = config.max_work // ((config.factors + 1) * 2 * config.min_sweeps)
    if rows <= limit:
        return "bayesian_fm", f"{rows:,} ratings, at most {limit:,}: the work budget is enough to sample"
    return "als", f"{rows:,} ratings, over {limit:,}: too many to sample within the work budget, so least squares"


def sha256_of(data: bytes) -> str:
    """The hash under which an artifact is registered."""
    return hashlib.sha256(data).hexdigest()


def _fit_ratings(
    rows: Ratings,
    catalogue: Catalogue,
    config: RecommenderConfig,
    seed: int,
    progress: Progress,
    residual_trainer: ResidualTrainer | None,
) -> tuple[RatingTable, str, str, Mapping[str, str]]:
    """The rating table, its method's name, why it was chosen, and versions of what else computed it."""
    rng = np.random.default_rng(seed)
    method, reason = choose_method(len(rows), config)
    if method == "bias":
        return fit_bias(rows, catalogue, BiasConfig(), rng, progress), method, reason, {}
    if method == "als":
        from cinematch_assets.recommender.rating_prediction.als_table import fit_als_table  # noqa: PLC0415  loads numba

        return fit_als_table(rows, catalogue, config.als, rng, progress), method, reason, {}
    if method == "spark_als":
        if residual_trainer is None:
            raise RecommenderInputError("a model of method spark_als is fitted on Spark, and none was named")
        table, computed_by = fit_residual_table(rows, catalogue, config.spark_als, seed, residual_trainer, progress)
        return table, method, reason, computed_by
    from cinematch_assets.recommender.rating_prediction.bayesian_fm import (  # noqa: PLC0415  loads numba
        fit_bayesian_fm,
        plan_sampling,
    )

    plan = plan_sampling(len(rows), config)
    return fit_bayesian_fm(rows, catalogue, config, rng, progress), method, f"{reason}; {plan}", {}


def _top_n(rankings: Rankings, users: Ids, table: RatingTable) -> TopN:
    """Rankings (users, k) without their empty slots, flat, with predicted ratings."""
    filled = rankings.movies >= 0
    owners = np.broadcast_to(users[:, None], filled.shape)[filled].astype(np.int32)
    ranks = np.cumsum(filled, axis=1, dtype=np.int32)[filled]
    movies = rankings.movies[filled]
    predicted = table.predict(owners, movies)
    return TopN(owners, ranks, movies, rankings.scores[filled], predicted.ratings, predicted.std, predicted.half_width)


def _by_user(top: TopN) -> tuple[NDArray[np.bool_], Ids]:
    """Which of (users · k) slots the rows of ``top`` fill, in their order, and its movies, (users, k), else −1."""
    users = np.cumsum(top.ranks == 1) - 1
    listed = np.full((int((top.ranks == 1).sum()), int(top.ranks.max(initial=0))), -1, np.int32)
    listed[users, top.ranks - 1] = top.movies
    return (listed >= 0).ravel(), listed


def _part(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}.")}
