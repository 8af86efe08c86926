"""The ranker: top-N recommendations for known and new users, and similar movies.

The EASE score selects a pool of movies; EASE score, implicit-ALS score, predicted rating and genre match order it; a
cap keeps franchises from filling a ranking.

Here: the fitted ranker, its training, the choice of the EASE method by the number of users. Not here: EASE
(``ranking.ease_dual``, ``ranking.ease_sparse``), implicit ALS (``ranking.implicit_als``), genre match
(``ranking.genre_match``), the order of a pool (``ranking.rerank``), cap and discount (``ranking.diversity``), item
similarity (``ranking.similar_items``), predicted ratings (``rating_prediction.rating_table``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.errors import CinematchError
from cinematch_assets.ids import distinct, positions
from cinematch_assets.logs import log_phase
from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ids, Pairs, Ratings, UserMoviePairs
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.protocol import RatingFactors, Reasons, Similar
from cinematch_assets.recommender.ranking.diversity import (
    CANDIDATES_PER_PLACE,
    cap_franchises,
    franchises,
    popularity_discount,
)
from cinematch_assets.recommender.ranking.ease_dual import DualEase, fit_ease_dual
from cinematch_assets.recommender.ranking.genre_match import GenreMatch
from cinematch_assets.recommender.ranking.histories import UserHistories, rating_weights
from cinematch_assets.recommender.ranking.similar_items import ItemSimilarity, fit_similar_items

if TYPE_CHECKING:
    from cinematch_assets.recommender.kernels.topn import Exclusions
    from cinematch_assets.recommender.ranking.ease_sparse import SparseEase
    from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors

POPULARITY_TIE_BREAK = 1e-6
"""Weight of popularity in EASE scores: it decides between equal scores only, as all are for users without ratings."""

SIGNALS = 3
"""Signals that are added to the EASE score."""

_ARRAYS = ("signal_weights", "popularity", "popularity_discount", "franchises")

logger = logging.getLogger(__name__)


class UnknownMovieError(CinematchError):
    """The movie is not in the catalogue."""


@dataclass(frozen=True, slots=True)
class Rankings:
    """``movies`` int32 and ``scores`` float32, both (users, k), best first; an empty slot has movie −1 and −inf."""

    movies: Ids
    scores: Floats


@dataclass(frozen=True, slots=True)
class _Request:
    """What all users of one call have in common."""

    k: int
    shift: Floats  # (M,) added to EASE scores: −inf for movies that are no candidates
    implicit_factors: Floats  # (M, f) the movies' side of the implicit-ALS score
    genre_match: GenreMatch
    rating_factors: tuple[RatingFactors, Floats] | None  # and of predicted ratings, (M, f)


@dataclass(frozen=True, slots=True)
class Ranker:
    """A fitted ranker over M movies; ``reason`` says why its EASE method was chosen.

    EASE scores are multiplied by ``popularity_discount``, implicit-ALS scores by its root.
    """

    ease: DualEase | SparseEase
    implicit_als: ImplicitFactors
    signal_weights: Floats  # (3,) implicit-ALS score, predicted rating and genre match, the EASE score's being 1
    reason: str
    popularity: Floats  # (M,) ranks for users without ratings
    popularity_discount: Floats  # (M,)
    franchises: Ids  # (M,) a number that instalments share
    item_similarity: ItemSimilarity

    @property
    def method(self) -> str:
        """The name of the method, for tables."""
        return f"{self.ease.name} + implicit_als"

    @property
    def movies(self) -> Ids:
        """The movies it ranks, (M,) ascending."""
        return self.ease.histories.movies

    def top(
        self,
        users: Ids,
        k: int,
        seen: UserMoviePairs,
        candidates: Ids | None = None,
        *,
        rating_factors: RatingFactors | None = None,
    ) -> Rankings:
        """Rank at most ``k`` of ``candidates`` (None: the catalogue) for each user, without their ``seen`` pairs.

        Predicted ratings are a signal if ``rating_factors`` are given. Scores are comparable within one ranking only.
        Candidates outside the catalogue are ignored; users without ratings get the most popular movies.
        """
        from cinematch_assets.recommender.kernels.topn import Seen  # noqa: PLC0415  loads numba

        request = self._request(k, candidates, rating_factors)
        seen_by_user = Seen.of(seen)
        movies, scores = np.empty((len(users), request.k), np.int32), np.empty((len(users), request.k), np.float32)
        for start in range(0, len(users), self.ease.block_users):
            block = slice(start, start + self.ease.block_users)
            row, known = positions(users[block], self.ease.histories.users)
            ranked = self._rank(
                self.ease.histories.weights_of(users[block]),
                users[block],
                np.where(known[:, None], self.implicit_als.users[row], np.float32(0.0)),
                request,
                seen_by_user.among(users[block], self.movies),
            )
            movies[block], scores[block] = ranked.movies, ranked.scores
        return Rankings(movies, scores)

    def top_for_ratings(
        self,
        movies: Ids,
        ratings: Floats,
        k: int,
        candidates: Ids | None = None,
        *,
        rating_factors: RatingFactors | None = None,
    ) -> Rankings:
        """Rank for one user who is not in the data, (1, k), by their ``ratings`` of ``movies`` (n,), without these.

        This user is user 0 of ``rating_factors``.
        """
        from cinematch_assets.recommender.kernels.topn import Exclusions  # noqa: PLC0415  loads numba

        user = np.zeros(1, np.int32)
        excluded = Exclusions.of(user, self.movies, Pairs(np.zeros(len(movies), np.int32), movies))
        weights = self._weights(movies, ratings)
        request = self._request(k, candidates, rating_factors)
        return self._rank(weights, user, self.implicit_als.fold_in(weights), request, excluded)

    def reasons(self, users: Ids, listed: Ids) -> Reasons:
        """What contributed most to the scores of ``listed`` movies (users, k), empty slots −1; (users · k) rows."""
        return self._reasons(self.ease.histories.weights_of(users), listed)

    def reasons_for_ratings(self, movies: Ids, ratings: Floats, listed: Ids) -> Reasons:
        """As ``reasons``, for one user who is not in the data: ``ratings`` of ``movies`` (n,), ``listed`` (1, k)."""
        return self._reasons(self._weights(movies, ratings), listed)

    def similar(self, movie: int, k: int) -> Similar:
        """The ``k`` movies most similar to ``movie``, best first; equal ones by popularity.

        Raises:
            UnknownMovieError: the movie is not in the catalogue.
        """
        index, known = positions(np.array([movie], np.int32), self.movies)
        if not known[0]:
            raise UnknownMovieError(f"movie {movie} is not in the catalogue")
        similarity = self.item_similarity.similarities(int(index[0]), self.ease.histories, self.franchises)
        order = np.lexsort((-self.popularity, -similarity))
        best = order[order != index[0]][:k]
        return Similar(self.movies[best], similarity[best].astype(np.float32))

    def refit_ease(
        self, catalogue: Catalogue, config: RankingConfig, rng: np.random.Generator, progress: Progress = no_progress
    ) -> Ranker:
        """A ranker with EASE and the signal weights of another ``config``, on the same histories."""
        ease, reason = fit_ease(self.ease.histories, catalogue, config, rng, progress)
        return replace(self, ease=ease, reason=reason, signal_weights=_signal_weights(config))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranker as named numeric arrays; ``reason`` is not among them."""
        own = {name: getattr(self, name) for name in _ARRAYS}
        return own | self.ease.arrays() | self.implicit_als.arrays() | self.item_similarity.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], reason: str = "") -> Ranker:
        """The inverse of ``arrays``.

        Raises:
            KeyError: an array is missing.
        """
        from cinematch_assets.recommender.ranking.ease_sparse import SparseEase  # noqa: PLC0415  loads numba
        from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors  # noqa: PLC0415  loads numba

        own = {name: arrays[name] for name in _ARRAYS}
        # Artifacts from before the genre match have two weights, and rank as they did.
        own["signal_weights"] = np.pad(own["signal_weights"], (0, SIGNALS - len(own["signal_weights"])))
        return cls(
            ease=DualEase.from_arrays(arrays) if "dual_inverse" in arrays else SparseEase.from_arrays(arrays),
            implicit_als=ImplicitFactors.from_arrays(arrays),
            reason=reason,
            item_similarity=ItemSimilarity.from_arrays(arrays),
            **own,
        )

    def _reasons(self, weights: sparse.csr_matrix, listed: Ids) -> Reasons:
        index, known = positions(listed.ravel().astype(np.int32), self.movies)
        columns = np.where(known, index, -1).astype(np.int32)
        found = self.ease.contributions(weights, columns.reshape(listed.shape))
        discount = np.where(known, self.popularity_discount[index], np.float32(1.0))
        movies = np.where(found.columns >= 0, self.movies[found.columns], -1).astype(np.int32)
        width = movies.shape[-1]
        return Reasons(movies.reshape(-1, width), found.values.reshape(-1, width) * discount[:, None])

    def _weights(self, movies: Ids, ratings: Floats) -> sparse.csr_matrix:
        """Rating weights of one user, (1, M); movies outside the catalogue are ignored."""
        index, known = positions(np.asarray(movies, np.int32), self.movies)
        row = np.zeros((1, len(self.movies)), np.float32)
        row[0, index[known]] = rating_weights(np.asarray(ratings)[known])
        return sparse.csr_matrix(row)

    def _request(self, k: int, candidates: Ids | None, rating_factors: RatingFactors | None) -> _Request:
        shift = self.popularity * np.float32(POPULARITY_TIE_BREAK)
        allowed = np.ones(len(self.movies), np.bool_) if candidates is None else np.isin(self.movies, candidates)
        shift[~allowed] = -np.inf
        return _Request(
            k=min(k, int(allowed.sum())),
            shift=shift,
            implicit_factors=self.implicit_als.movies * np.sqrt(self.popularity_discount)[:, None],
            genre_match=GenreMatch.of(self.item_similarity.genres, self.popularity),
            rating_factors=(rating_factors, rating_factors.movie_side(self.movies)) if rating_factors else None,
        )

    def _rank(
        self, weights: sparse.csr_matrix, users: Ids, user_factors: Floats, request: _Request, excluded: Exclusions
    ) -> Rankings:
        """Rank for ``users`` (n,), with rating weights (n, M) and implicit-ALS factors (n, f)."""
        from cinematch_assets.recommender.ranking.rerank import (  # noqa: PLC0415  loads numba
            POOL,
            Signal,
            rerank_by_signals,
        )

        of_implicit, of_rating, of_genres = self.signal_weights.tolist()
        genres = request.genre_match
        signals = [
            Signal(user_factors, request.implicit_factors, of_implicit),
            Signal(genres.user_side(weights), genres.movies, of_genres),
        ]
        if request.rating_factors:
            table, movie_side = request.rating_factors
            signals.append(Signal(table.user_side(users), movie_side, of_rating))
        length = request.k * CANDIDATES_PER_PLACE
        scale_shift = self.popularity_discount, request.shift
        pool = self.ease.best(weights, scale_shift, max(POOL, length), excluded)
        best = rerank_by_signals(pool, signals)
        columns, scores = best.columns[:, :length], best.scores[:, :length]
        if self._has_franchises():
            columns, scores = cap_franchises(columns, scores, self.franchises, request.k)
        columns, scores = columns[:, : request.k], scores[:, : request.k]
        return Rankings(np.where(columns >= 0, self.movies[columns], -1).astype(np.int32), scores)

    def _has_franchises(self) -> bool:
        """Whether any two movies are of one franchise."""
        return len(self.franchises) > 0 and int(self.franchises.max()) + 1 < len(self.franchises)


def fit_ranker(
    train: Ratings,
    catalogue: Catalogue,
    config: RankingConfig,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> Ranker:
    """Fit on ``train``, one row per (user, movie); the EASE method follows from the number of users.

    The same set of rows and seed give the same bytes on any number of threads.
    """
    from cinematch_assets.recommender.ranking.implicit_als import fit_implicit_als  # noqa: PLC0415  loads numba

    movies = np.union1d(distinct(train.movies), catalogue.movies).astype(np.int32)
    with log_phase(logger, "user histories of %d ratings, %d movies", len(train), len(movies)):
        histories = UserHistories.of(train, movies)
    with log_phase(logger, "EASE on %d users", len(histories.users)):
        ease, reason = fit_ease(histories, catalogue, config, rng, progress)
    with log_phase(logger, "implicit ALS with %d factors", config.implicit_als.factors):
        implicit_als = fit_implicit_als(histories, catalogue, config.implicit_als, rng, progress)
    with log_phase(logger, "item similarity"):
        item_similarity = fit_similar_items(histories, catalogue, config, rng, progress)
    return Ranker(
        ease=ease,
        implicit_als=implicit_als,
        signal_weights=_signal_weights(config),
        reason=reason,
        popularity=_popularity(train, movies),
        popularity_discount=popularity_discount(histories, config.popularity_discount),
        franchises=_franchises(catalogue, movies),
        item_similarity=item_similarity,
    )


def fit_ease(
    train: UserHistories,
    catalogue: Catalogue,
    config: RankingConfig,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> tuple[DualEase | SparseEase, str]:
    """Fit EASE by the method for the number of users; return it and why this method was chosen."""
    users = len(train.users)
    if users <= config.max_dual_users:
        reason = f"{users:,} users, at most {config.max_dual_users:,}: exact, by an inverse of users × users"
        ease: DualEase | SparseEase = fit_ease_dual(train, catalogue, config, rng, progress)
    else:
        from cinematch_assets.recommender.ranking.ease_sparse import fit_ease_sparse  # noqa: PLC0415  loads numba

        reason = (
            f"{users:,} users, over {config.max_dual_users:,}: exact for the {config.head_items:,} most rated movies"
        )
        ease = fit_ease_sparse(train, catalogue, config, rng, progress)
    return ease, f"{reason}; λ = {config.ridge:g}, weight of implicit ALS {config.implicit_weight:g}"


def _signal_weights(config: RankingConfig) -> Floats:
    return np.array([config.implicit_weight, config.rating_weight, config.genre_weight], np.float32)


def _franchises(catalogue: Catalogue, movies: Ids) -> Ids:
    """Franchises of ``movies``, (M,); a movie without a title in the catalogue is a franchise of its own."""
    index, known = positions(movies, catalogue.movies)
    by_title = franchises(catalogue.titles)
    alone = len(catalogue) + np.arange(len(movies))
    numbers = np.where(known, by_title[index], alone) if len(catalogue) else alone
    return np.unique(numbers, return_inverse=True)[1].astype(np.int32)


def _popularity(train: Ratings, movies: Ids) -> Floats:
    """The sum of rating weights of each movie by the number of users, (M,)."""
    index = positions(train.movies, movies)[0]
    total = np.bincount(index, rating_weights(train.ratings), minlength=len(movies))
    return np.asarray(total / max(1, len(distinct(train.users))), np.float32)
