"""Measure on users whom the model has never seen: whole users are held out, and part of their history is folded in.

Here: the protocol of Liang et al. (2018), "Variational autoencoders for collaborative filtering", section 4.1, and its
figures. Not here: figures on a given test set (``evaluation``), files (``evaluate_files``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, Ratings, RecommenderInputError, UserMoviePairs
from cinematch_assets.recommender.evaluation import LIKED, NOT_A_MOVIE, find_hits, ndcg_by_user
from cinematch_assets.recommender.model import Recommender
from cinematch_assets.recommender.protocol import Predictions, TopN

HELD_OUT_SHARE = 0.1
"""Of the users."""
MAX_HELD_OUT_USERS = 2_000
"""Each is folded in on their own, which takes some milliseconds."""
FOLDED_IN_SHARE = 0.8
"""Of a held-out user's ratings."""
MIN_RATINGS = 5
"""Users with fewer are always trained on, as in the source."""
LIST_LENGTH = 100


@dataclass(frozen=True, slots=True)
class StrongSplit:
    """Rows to fit on, and of users who have none of them: a history to fold in, and rows to measure on."""

    train: Ratings
    history: Ratings
    test: Ratings

    def among(self, movies: Ids) -> StrongSplit:
        """The split without histories and test rows of other movies: nothing can be folded in of those."""
        history, test = (rows.where(np.isin(rows.movies, movies)) for rows in (self.history, self.test))
        kept = np.intersect1d(history.users, test.users)
        return StrongSplit(
            self.train, history.where(np.isin(history.users, kept)), test.where(np.isin(test.users, kept))
        )


@dataclass(frozen=True, slots=True)
class LongListMetrics:
    """Figures of lists of 100 by users with a relevant (test rating ≥ 4.0) movie; None without such users.

    Recall at k divides by min(k, relevant movies), so that 1 can be reached, as in the source.
    """

    users: int
    recall_at_20: float | None
    recall_at_50: float | None
    ndcg_at_100: float | None


def hold_out_users(ratings: Ratings, seed: int) -> StrongSplit:
    """Hold out a tenth of the users, and of each a fifth of their rows to measure on, both at random.

    Raises:
        RecommenderInputError: there are fewer than two users, or none has enough ratings.
    """
    rng = np.random.default_rng(seed)
    users, row_user, counts = np.unique(ratings.users, return_inverse=True, return_counts=True)
    able = np.flatnonzero(counts >= MIN_RATINGS)
    number = min(max(1, round(HELD_OUT_SHARE * len(users))), MAX_HELD_OUT_USERS, len(able))
    if number == 0 or number == len(users):
        raise RecommenderInputError(
            f"no user can be held out: {len(able):,} of {len(users):,} have {MIN_RATINGS} ratings"
        )
    held_out = np.zeros(len(users), np.bool_)
    held_out[rng.permutation(able)[:number]] = True
    order = np.lexsort((rng.random(len(ratings)), row_user))  # each user's rows in random order
    starts = np.cumsum(counts) - counts
    place = np.empty(len(ratings), np.int64)
    place[order] = np.arange(len(ratings)) - starts[row_user[order]]
    is_held_out = held_out[row_user]
    is_test = is_held_out & (place >= np.round(FOLDED_IN_SHARE * counts)[row_user])
    return StrongSplit(ratings.where(~is_held_out), ratings.where(is_held_out & ~is_test), ratings.where(is_test))


@dataclass(frozen=True, slots=True)
class FoldedInModel:
    """A model that knows each user of ``history`` by these ratings alone; it was not trained on them."""

    model: Recommender
    history: Ratings
    method: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", f"{self.model.method}, users folded in")

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Predict the rating of each (user, movie) row."""
        ratings = np.empty(len(users), np.float32)
        half_width = np.full(len(users), np.nan, np.float32)
        known = np.empty(len(users), np.bool_)
        for user in np.unique(users):
            rows = users == user
            rated, stars = self._history_of(user)
            table = self.model.rating_table.fold_in(rated, stars)
            found = table.predict(np.zeros(int(rows.sum()), np.int32), movies[rows])
            ratings[rows], known[rows] = found.ratings, found.movie_known
            if found.half_width is not None:
                half_width[rows] = found.half_width
        is_measured = bool(np.isfinite(half_width).all())
        return Predictions(ratings, None, np.ones(len(users), np.bool_), known, half_width if is_measured else None)

    def recommend(
        self,
        users: Ids,
        k: int,
        *,
        seen: UserMoviePairs,  # noqa: ARG002 - the protocol's
        candidates: Ids | None = None,
    ) -> TopN:
        """Recommend at most ``k`` movies per user, without those of their history, which are all that ``seen`` has."""
        found = []
        for user in users:
            rated, stars = self._history_of(user)
            pairs = list(zip(rated.tolist(), stars.tolist(), strict=True))
            top = self.model.recommend_for_ratings(pairs, k, candidates=candidates)
            found.append((np.full(len(top), user, np.int32), top))
        return TopN(
            users=np.concatenate([owners for owners, _ in found]),
            ranks=np.concatenate([top.ranks for _, top in found]),
            movies=np.concatenate([top.movies for _, top in found]),
            scores=np.concatenate([top.scores for _, top in found]),
            predicted_ratings=np.concatenate([top.predicted_ratings for _, top in found]),
        )

    def _history_of(self, user: int) -> tuple[Ids, Floats]:
        first, last = np.searchsorted(self.history.users, [user, user + 1])
        return self.history.movies[first:last], self.history.ratings[first:last]


def measure_long_lists(model: FoldedInModel, test: Ratings) -> LongListMetrics:
    """Measure lists of 100 movies for users who have a relevant test movie."""
    liked = test.where(test.ratings >= LIKED)
    users = np.unique(liked.users)
    if len(users) == 0:
        return LongListMetrics(0, None, None, None)
    top = model.recommend(users, LIST_LENGTH, seen=model.history)
    listed = np.full((len(users), LIST_LENGTH), NOT_A_MOVIE, np.int32)
    listed[np.searchsorted(users, top.users), top.ranks - 1] = top.movies
    hits = find_hits(users, listed, liked)
    relevant = np.bincount(np.searchsorted(users, liked.users), minlength=len(users))
    return LongListMetrics(
        users=len(users),
        recall_at_20=_recall(hits, relevant, 20),
        recall_at_50=_recall(hits, relevant, 50),
        ndcg_at_100=float(ndcg_by_user(users, listed, liked).mean()),
    )


def _recall(hits: NDArray[np.bool_], relevant: NDArray[np.intp], k: int) -> float:
    return float((hits[:, :k].sum(axis=1) / np.minimum(relevant, k)).mean())
