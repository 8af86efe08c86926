"""Rating error and ranking quality of a model on test rows.

Here: figures from a model and a test set. Not here: splitting (``splits``), files (``evaluate_files``), whether a
candidate is promoted (``promotion``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import counts_among, distinct, distinct_counts, positions
from cinematch_assets.metrics import mae, rmse
from cinematch_assets.pairs import pair_keys
from cinematch_assets.recommender.data import (
    Catalogue,
    Ids,
    Ratings,
    RecommenderInputError,
    UserMoviePairs,
)
from cinematch_assets.recommender.protocol import Model, TopN

K = 10
LIKED = 4.0
"""Lowest test rating that makes a movie relevant."""

NOT_A_MOVIE = -1
"""Marks a rank that no movie fills."""

COLD_RATINGS = 10
POPULAR_SHARE = 0.2

SORTED_ROWS = 1 << 16
"""About so many rows of test, of whole users, are sorted at a time."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the test rows."""

    name: str
    rows: int
    rmse: float | None
    mae: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one model on one test set, None where nothing could be measured.

    ``precision_at_10``: share of a user's ten highest predicted *test* items that they rated ≥ 4.0, averaged over
    users; a user with fewer than ten test items counts with those there are, and ``users_below_10`` is their number.
    ``catalogue_*``: top-N recommendations over the whole catalogue without the user's training items, relevant = test
    rating ≥ 4.0, averaged over users who have a relevant item; precision divides by ten, the ideal of nDCG stops at
    ten. ``coverage``: share of the catalogue in any of these rankings. ``novelty``: mean of -log2 of the share of
    training users who rated a recommended movie (a movie without ratings counts as rated by one). ``interval_80``:
    share of test rows within predicted rating ± half_width, nominally 80 %. ``squared_errors``, ``users`` and
    ``movies`` are (rows,), for paired comparisons.
    """

    method: str
    rows: int
    rmse: float
    mae: float
    precision_at_10: float
    users_below_10: int
    catalogue_precision_at_10: float | None
    catalogue_ndcg_at_10: float | None
    coverage: float | None
    novelty: float | None
    interval_80: float | None
    slices: tuple[Slice, ...]
    users: Ids
    movies: Ids
    squared_errors: NDArray[np.float64]

    def summary(self) -> dict[str, object]:
        """Everything but the arrays, as plain numbers for JSON."""
        arrays = {"users", "movies", "squared_errors"}
        return {name: value for name, value in asdict(self).items() if name not in arrays}


@dataclass(frozen=True, slots=True)
class RankingMetrics:
    """Figures of top-N recommendations over the whole catalogue; all None where no user has a relevant item."""

    precision: float | None = None
    ndcg: float | None = None
    coverage: float | None = None
    novelty: float | None = None


def evaluate(
    model: Model, train: Ratings, test: Ratings, catalogue: Catalogue, *, rankings: bool = True, k: int = K
) -> Evaluation:
    """Measure ``model`` on ``test``; ``rankings=False`` leaves out the catalogue figures, which cost the most.

    Raises:
        RecommenderInputError: the test set is empty.
    """
    if len(test) == 0:
        raise RecommenderInputError("there are no test ratings to measure on")
    predicted = model.predict(test.users, test.movies)
    errors = predicted.errors(test.ratings)
    precision, below = precision_of_test_items(test, predicted.ratings, k)
    ranked = _ranking_metrics(model, train, test, catalogue, k) if rankings else RankingMetrics()
    inside = None
    if predicted.half_width is not None:
        inside = float(np.mean(np.abs(errors) <= predicted.half_width))
    return Evaluation(
        method=model.method,
        rows=len(test),
        rmse=rmse(errors),
        mae=mae(errors),
        precision_at_10=precision,
        users_below_10=below,
        catalogue_precision_at_10=ranked.precision,
        catalogue_ndcg_at_10=ranked.ndcg,
        coverage=ranked.coverage,
        novelty=ranked.novelty,
        interval_80=inside,
        slices=_slices(train, test, errors),
        users=test.users,
        movies=test.movies,
        squared_errors=errors**2,
    )


def precision_of_test_items(test: Ratings, predicted: NDArray[np.float32], k: int = K) -> tuple[float, int]:
    """Precision at k among each user's test items, and the number of users with fewer than k of them.

    ``predicted`` (rows of ``test``,) are predicted ratings; ties go to the lower movie id.
    """
    starts = np.flatnonzero(np.append(True, test.users[1:] != test.users[:-1]))
    sizes = np.diff(np.append(starts, len(test)))
    rank = np.arange(len(test)) - np.repeat(starts, sizes)
    # Each user's rows by prediction, equal ones as they are, by movie; a block at a time, which the cache holds.
    cuts = starts[np.searchsorted(starts, np.arange(0, len(test), SORTED_ROWS), "right") - 1]
    blocks = [slice(*bounds) for bounds in pairwise([*np.unique(cuts).tolist(), len(test)])]
    order = np.concatenate([np.lexsort((-predicted[rows], test.users[rows])) + rows.start for rows in blocks])
    hits = (test.ratings[order] >= LIKED) & (rank < k)
    shares = np.add.reduceat(hits.astype(np.float64), starts) / np.minimum(sizes, k)
    return float(shares.mean()), int((sizes < k).sum())


def _ranking_metrics(model: Model, train: Ratings, test: Ratings, catalogue: Catalogue, k: int) -> RankingMetrics:
    liked = test.where(test.ratings >= LIKED)
    users = distinct(liked.users)
    if len(users) == 0:
        return RankingMetrics()
    top = model.recommend(users, k, seen=train)
    listed = _listed(top, users, k)
    return RankingMetrics(
        precision=float(find_hits(users, listed, liked).mean()),
        ndcg=float(ndcg_by_user(users, listed, liked).mean()),
        coverage=len(distinct(top.movies)) / len(np.union1d(catalogue.movies, distinct(train.movies))),
        novelty=_novelty(top, train),
    )


def ndcg_of_users(model: Model, seen: UserMoviePairs, rows: Ratings, k: int = K) -> NDArray[np.float64]:
    """nDCG@k of the rankings without ``seen`` movies, (users,): users who liked a movie of ``rows``, ascending."""
    liked = rows.where(rows.ratings >= LIKED)
    users = distinct(liked.users)
    if len(users) == 0:
        return np.zeros(0)
    return ndcg_by_user(users, _listed(model.recommend(users, k, seen=seen), users, k), liked)


def _listed(top: TopN, users: Ids, k: int) -> Ids:
    """The movies of rankings, (users, k), with ``NOT_A_MOVIE`` in empty places."""
    listed = np.full((len(users), k), NOT_A_MOVIE, np.int32)
    listed[positions(top.users, users)[0], top.ranks - 1] = top.movies
    return listed


def ndcg_by_user(users: Ids, listed: Ids, liked: Ratings) -> NDArray[np.float64]:
    """Normalized DCG of the rankings (users, k), best first, of ascending ``users``, who all have rows in ``liked``.

    Relevance is 0 or 1, a hit at rank r is worth 1 / log2(r + 1), and the ideal has a user's liked movies first
    (Järvelin & Kekäläinen 2002).
    """
    discounts = 1.0 / np.log2(np.arange(2, listed.shape[1] + 2))
    relevant = np.bincount(positions(liked.users, users)[0], minlength=len(users))
    ideal = np.cumsum(discounts)[np.minimum(relevant, listed.shape[1]) - 1]
    return np.asarray(find_hits(users, listed, liked) @ discounts / ideal, np.float64)


def find_hits(users: Ids, listed: Ids, liked: Ratings) -> NDArray[np.bool_]:
    """Which entries of the rankings (users, k) are in ``liked``, which has rows."""
    asked, rated = pair_keys(users[:, None], listed), pair_keys(liked.users, liked.movies)
    at = np.minimum(np.searchsorted(rated, asked), len(rated) - 1)
    return np.asarray(rated[at] == asked)


def _novelty(top: TopN, train: Ratings) -> float | None:
    if len(top) == 0:
        return None
    raters = np.maximum(counts_among(top.movies, train.movies), 1)
    return float(np.mean(-np.log2(np.minimum(raters / len(distinct(train.users)), 1.0))))


def _slices(train: Ratings, test: Ratings, errors: NDArray[np.float64]) -> tuple[Slice, ...]:
    """New and cold users, the popular fifth of rated movies, the tail, new movies."""
    per_user = counts_among(test.users, train.users)
    per_movie = counts_among(test.movies, train.movies)
    counts = np.sort(distinct_counts(train.movies)[1])[::-1]
    bar = counts[int(POPULAR_SHARE * len(counts))] if len(counts) else 0
    parts = {
        "new users": per_user == 0,
        f"cold users (1 to {COLD_RATINGS - 1} ratings)": (per_user > 0) & (per_user < COLD_RATINGS),
        "popular movies (a fifth of them)": per_movie > bar,
        "tail movies": (per_movie > 0) & (per_movie <= bar),
        "new movies": per_movie == 0,
    }
    return tuple(_slice(name, errors[rows]) for name, rows in parts.items())


def _slice(name: str, errors: NDArray[np.float64]) -> Slice:
    if len(errors) == 0:
        return Slice(name, 0, None, None)
    return Slice(name, len(errors), rmse(errors), mae(errors))
