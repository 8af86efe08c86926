"""Lists: which movies someone will like most, from what he liked before.

A pool of movies comes from likeness movie by movie, EASE; likings, a few tastes that many share, and the stars to
expect put it in order; a cap keeps franchises from filling a list.

Here: the ranker and the choice of its method by size. Not here: likeness (``dual``, ``sparse``) and selection from it
(``topn``), likings (``likings``), the order of a pool (``blend``), variety (``variety``), which movies are near to one
(``nearness``), stars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.errors import CinematchError
from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import (
    Catalogue,
    Floats,
    Ids,
    Pairs,
    Ratings,
    UserMoviePairs,
    positions,
)
from cinematch_assets.recommender.progress import Progress, no_progress
from cinematch_assets.recommender.protocol import Similar
from cinematch_assets.recommender.ranking.diversity import BEFORE_THE_CAP, franchises, lift, without_repetition
from cinematch_assets.recommender.ranking.ease_dual import DualEase, fit_dual
from cinematch_assets.recommender.ranking.histories import UserHistories, weight_of
from cinematch_assets.recommender.ranking.similar_items import ItemSimilarity

if TYPE_CHECKING:
    from cinematch_assets.recommender.kernels.topn import Best, Exclusions
    from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors

POPULARITY_SHARE = 1e-6
"""What is added to scores of the movies that please most: nothing, unless all else is equal, as it is for strangers."""


class UnknownMovieError(CinematchError):
    """Someone asks about a movie that the catalogue does not hold."""


class Expected(Protocol):
    """Stars to expect, as factors whose products put movies in order for a user."""

    def user_side(self, users: Ids) -> Floats:
        """Factors of users, (n, f)."""

    def movie_side(self, movies: Ids) -> Floats:
        """Factors of movies, (n, f)."""


class Weights(Protocol):
    """A fitted movie-by-movie model, whatever it looks like inside; M movies, ascending."""

    @property
    def name(self) -> str:
        """The method."""

    @property
    def movies(self) -> Ids:
        """Its movies, (M,)."""

    @property
    def histories(self) -> UserHistories:
        """What each user rated in training."""

    @property
    def users_at_once(self) -> int:
        """How many users ``best`` should be asked about together."""

    def scores(self, history: sparse.csr_matrix) -> Floats:
        """(rows, M) scores for (rows, M) weights."""

    def best(self, history: sparse.csr_matrix, line: tuple[Floats, Floats], k: int, skipped: Exclusions) -> Best:
        """The ``k`` best movies by a + b · score, line = (a, b), without what is left out or has a base of −inf."""

    def profile(self, users: Ids) -> sparse.csr_matrix:
        """The weights that users were known by in training, (users, M)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything it knows, as numeric arrays."""


@dataclass(frozen=True, slots=True)
class Lists:
    """``movies`` int32 and ``scores`` float32, both (users, k), best first; a place nothing fits has movie −1, −inf."""

    movies: Ids
    scores: Floats


@dataclass(frozen=True, slots=True)
class _Cut:
    """How long lists are, what each movie starts with, (M,), and the movies' side of the opinions, (M, f)."""

    k: int
    base: Floats
    likings: Floats
    stars: tuple[Expected, Floats] | None


@dataclass(frozen=True, slots=True)
class Ranker:
    """A fitted ranker. ``reason`` says why this method; ``popularity`` (M,) ranks for those we know nothing of.

    Likeness is multiplied by ``lift`` (M,), which holds popular movies back, and likings by its root; ``shares`` (2,)
    is what likings and stars weigh beside likeness. ``groups`` (M,) numbers franchises, of which a list shows
    one movie in five places; ``nearness`` compares movies.
    """

    weights: Weights
    likings: ImplicitFactors
    shares: Floats
    reason: str
    popularity: Floats
    lift: Floats
    groups: Ids
    item_similarity: ItemSimilarity

    @property
    def method(self) -> str:
        """The name of the method, for tables."""
        return f"{self.weights.name} + implicit_als"

    def top(
        self, users: Ids, k: int, seen: UserMoviePairs, candidates: Ids | None = None, *, stars: Expected | None = None
    ) -> Lists:
        """At most ``k`` of ``candidates`` (None: the catalogue) for each user, none of his ``seen`` pairs.

        ``stars`` have their share in the order where they are given. Scores are comparable within one list only.
        Candidates outside the catalogue are passed over; users without ratings get the popular list.
        """
        from cinematch_assets.recommender.kernels.topn import Seen  # noqa: PLC0415  loads numba

        cut = self._cut(k, candidates, stars)
        known = Seen.of(seen)
        movies, scores = np.empty((len(users), cut.k), np.int32), np.empty((len(users), cut.k), np.float32)
        step = self.weights.users_at_once
        for start in range(0, len(users), step):
            some = users[start : start + step]
            skipped = known.among(some, self.weights.movies)
            row, rated = positions(some, self.weights.histories.users)
            likings = np.where(rated[:, None], self.likings.users[row], np.float32(0.0))
            found = self._top(self.weights.profile(some), some, likings, cut, skipped)
            movies[start : start + step] = found.movies
            scores[start : start + step] = found.scores
        return Lists(movies, scores)

    def top_folded(
        self, movies: Ids, ratings: Floats, k: int, candidates: Ids | None = None, *, stars: Expected | None = None
    ) -> Lists:
        """A list, (1, k), for someone who is not in the data, without the movies that he names.

        ``stars`` has him as its only user.
        """
        from cinematch_assets.recommender.kernels.topn import Exclusions  # noqa: PLC0415  loads numba

        nobody = np.zeros(1, np.int32)
        skipped = Exclusions.of(nobody, self.weights.movies, Pairs(np.zeros(len(movies), np.int32), movies))
        history = self._history(movies, ratings)
        return self._top(history, nobody, self.likings.fold_in(history), self._cut(k, candidates, stars), skipped)

    def similar(self, movie: int, k: int) -> Similar:
        """The ``k`` movies nearest to ``movie``, nearest first; of equally near ones, those that please most people."""
        column = self._column(movie)
        near = self.item_similarity.to_all(column, self.weights.histories, self.groups)
        order = np.lexsort((-self.popularity, -near))
        best = order[order != column][:k]
        return Similar(self.weights.movies[best], near[best].astype(np.float32))

    def refitted(self, train: Ratings, config: RankingConfig) -> Ranker:
        """The ranker with likeness fitted anew to the ``train`` that it was fitted to, and other shares."""
        weights, reason = _likeness(train, self.weights.movies, config)
        return replace(self, weights=weights, reason=reason, shares=_shares(config))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranker as named numeric arrays; ``reason`` is kept by its caller."""
        own = {name: getattr(self, name) for name in ("shares", "popularity", "lift", "groups")}
        return own | self.weights.arrays() | self.likings.arrays() | self.item_similarity.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], reason: str = "") -> Ranker:
        """The inverse of ``arrays``.

        Raises:
            KeyError: an array is missing.
        """
        from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors  # noqa: PLC0415  loads numba

        weights: Weights
        if "kernel" in arrays:
            weights = DualEase.from_arrays(arrays)
        else:
            from cinematch_assets.recommender.ranking.ease_sparse import SparseEase  # noqa: PLC0415  loads numba

            weights = SparseEase.from_arrays(arrays)
        return cls(
            weights,
            ImplicitFactors.from_arrays(arrays),
            arrays["shares"],
            reason,
            arrays["popularity"],
            arrays["lift"],
            arrays["groups"],
            ItemSimilarity.from_arrays(arrays),
        )

    def _history(self, movies: Ids, stars: Floats) -> sparse.csr_matrix:
        at, known = positions(np.asarray(movies, np.int32), self.weights.movies)
        row = np.zeros((1, len(self.weights.movies)), np.float32)
        row[0, at[known]] = weight_of(np.asarray(stars)[known])
        return sparse.csr_matrix(row)

    def _cut(self, k: int, candidates: Ids | None, stars: Expected | None) -> _Cut:
        """How lists are cut: movies that are no candidates are moved out of sight."""
        movies = self.weights.movies
        base = self.popularity * np.float32(POPULARITY_SHARE)
        able = np.ones(len(movies), np.bool_) if candidates is None else np.isin(movies, candidates)
        base[~able] = -np.inf
        likings = self.likings.movies * np.sqrt(self.lift)[:, None]
        table = (stars, stars.movie_side(movies)) if stars else None
        return _Cut(min(k, int(able.sum())), base, likings, table)

    def _top(self, history: sparse.csr_matrix, users: Ids, likings: Floats, cut: _Cut, skipped: Exclusions) -> Lists:
        from cinematch_assets.recommender.ranking.rerank import POOL, Signal, blended  # noqa: PLC0415  loads numba

        signals = [Signal(likings, cut.likings, float(self.shares[0]))]
        if cut.stars:
            table, movies = cut.stars
            signals.append(Signal(table.user_side(users), movies, float(self.shares[1])))
        rivals = cut.k * BEFORE_THE_CAP
        pool = self.weights.best(history, (cut.base, self.lift), max(POOL, rivals), skipped)
        best = blended(pool, signals)
        columns, scores = best.columns[:, :rivals], best.scores[:, :rivals]
        if self.groups_repeat:
            columns, scores = without_repetition(columns, scores, self.groups, cut.k)
        columns, scores = columns[:, : cut.k], scores[:, : cut.k]
        return Lists(np.where(columns >= 0, self.weights.movies[columns], -1).astype(np.int32), scores)

    @property
    def groups_repeat(self) -> bool:
        """Whether any two movies are of one franchise."""
        return len(self.groups) > 0 and int(self.groups.max()) + 1 < len(self.groups)

    def _column(self, movie: int) -> int:
        at, known = positions(np.array([movie], np.int32), self.weights.movies)
        if not known[0]:
            raise UnknownMovieError(f"movie {movie} is not in the catalogue")
        return int(at[0])


def fit_ranker(
    train: Ratings,
    catalogue: Catalogue,
    *,
    config: RankingConfig | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ranker:
    """Fit on ``train``, one row per (user, movie); the method follows from the number of users.

    The same set of rows and seed give the same bytes on any number of threads.
    """
    from cinematch_assets.recommender.ranking.implicit_als import fit_implicit_als  # noqa: PLC0415  loads numba

    knobs, tell = config or RankingConfig(), progress or no_progress
    movies = np.union1d(train.movies, catalogue.movies).astype(np.int32)
    tell("lists", 0.0)
    weights, reason = _likeness(train, movies, knobs)
    tell("lists", 0.5)
    likings = fit_implicit_als(weights.histories.matrix(len(movies)), knobs.implicit_als, seed)
    tell("lists", 1.0)
    return Ranker(
        weights,
        likings,
        _shares(knobs),
        reason,
        _popularity(train, movies),
        lift(train, movies, knobs.popularity_discount),
        _groups(catalogue, movies),
        ItemSimilarity.of(weights.histories, movies, catalogue),
    )


def _likeness(train: Ratings, movies: Ids, knobs: RankingConfig) -> tuple[Weights, str]:
    """Likeness movie by movie, by the method for that many users, and why it was taken."""
    users = len(np.unique(train.users))
    if users <= knobs.max_dual_users:
        how = f"{users:,} users, at most {knobs.max_dual_users:,}: exact, through users instead of movies"
        weights: Weights = fit_dual(
            train, movies, ridge=knobs.ridge, dropout=knobs.dropout, user_exponent=knobs.user_exponent
        )
    else:
        from cinematch_assets.recommender.ranking.ease_sparse import fit_sparse  # noqa: PLC0415  loads numba

        how = f"{users:,} users, over {knobs.max_dual_users:,}: exact among the {knobs.head_items:,} most rated movies"
        weights = fit_sparse(
            train,
            movies,
            ridge=knobs.ridge,
            dropout=knobs.dropout,
            user_exponent=knobs.user_exponent,
            head_items=knobs.head_items,
            neighbours=knobs.neighbours,
            kept=knobs.kept,
        )
    return weights, f"{how}; λ = {knobs.ridge:g}, likings count {knobs.implicit_weight:g}"


def _shares(knobs: RankingConfig) -> Floats:
    return np.array([knobs.implicit_weight, knobs.rating_weight], np.float32)


def _groups(catalogue: Catalogue, movies: Ids) -> Ids:
    """Franchises of ``movies``, (M,); a movie without a title in the catalogue is alone."""
    at, known = positions(movies, catalogue.movies)
    groups = franchises(catalogue.titles)
    alone = len(catalogue) + np.arange(len(movies))
    together = np.where(known, groups[at], alone) if len(catalogue) else alone
    return np.unique(together, return_inverse=True)[1].astype(np.int32)


def _popularity(train: Ratings, movies: Ids) -> Floats:
    """Σ of weights by movie over the number of users, (M,)."""
    at = np.searchsorted(movies, train.movies)
    total = np.bincount(at, weight_of(train.ratings), minlength=len(movies))
    return np.asarray(total / max(1, len(np.unique(train.users))), np.float32)
