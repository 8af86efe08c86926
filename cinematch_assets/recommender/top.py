"""Select the k best of scored movies, without those that a user has seen.

Here: one score for each movie, the same for all users. Not here: scores that differ between users (``kernels.topn``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import distinct, positions
from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs, sorted_by_user

BLOCK_USERS = 4_096
"""Users whose seen movies are put in order at once."""


def best_unseen(
    users: Ids, candidates: Ids, k: int, *, seen: UserMoviePairs, scores: Floats
) -> tuple[Ids, Ids, Ids, Floats]:
    """Users, ranks, movies and scores of each user's ``k`` best candidates that they have not seen, flat.

    In the order of all movies, let a user's seen ones be at places p_0 < p_1 < …: before p_i there are p_i − i unseen
    ones. So the unseen one with j others before it is at place j + |{i: p_i − i ≤ j}|. The cost is that of looking up
    ``seen``, whatever the number of candidates.

    Args:
        users: whom the lists are for, (n,).
        candidates: ascending movie ids, (m,).
        k: at most so many a user.
        seen: what is left out.
        scores: of the candidates, (m,); one that is not finite is never taken. Equal ones are ordered by movie id.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    k = min(k, len(order))
    place_of = np.full(len(candidates), len(order), np.int32)
    place_of[order] = np.arange(len(order), dtype=np.int32)
    seen_users, seen_movies = sorted_by_user(seen)
    different = distinct(users)
    places = np.empty((len(different), k), np.int64)
    for start in range(0, len(different), BLOCK_USERS):
        block = different[start : start + BLOCK_USERS]
        first, last = np.searchsorted(seen_users, block[0]), np.searchsorted(seen_users, block[-1], "right")
        rows, is_asked = positions(seen_users[first:last], block)
        at, is_candidate = positions(seen_movies[first:last], candidates)
        matters = is_asked & is_candidate
        places[start : start + len(block)] = _unseen_places(
            len(block), rows[matters], place_of[at[matters]], k, len(order)
        )
    places = places[positions(users, different)[0]]
    listed = places < len(order)
    rows = order[places[listed]]
    ranks = np.broadcast_to(np.arange(k) + 1, places.shape)[listed].astype(np.int32)
    return np.broadcast_to(users[:, None], places.shape)[listed], ranks, candidates[rows], scores[rows]


def _unseen_places(
    users: int, rows: NDArray[np.intp], places: NDArray[np.int32], k: int, size: int
) -> NDArray[np.int64]:
    """The first ``k`` places that each of ``users`` has not seen, (users, k); from ``size`` on there is nothing.

    Args:
        users: how many.
        rows: which of them has seen a place, (n,).
        places: the places seen, (n,), at most ``size``.
        k: how many places are wanted.
        size: how many places there are.
    """
    # Of a user who has seen n movies, k unseen ones are among the first k + n: places after these do not matter.
    last = np.minimum(k + np.bincount(rows, minlength=users), size)
    kept = places < last[rows]
    owners, ordered = np.divmod(np.unique(rows[kept] * size + places[kept]), max(1, size))
    starts = np.searchsorted(owners, np.arange(users))
    gaps = ordered - (np.arange(len(owners)) - starts[owners])
    before = np.arange(k)
    asked = np.arange(users)[:, None] * (size + 1) + before
    return before + np.searchsorted(owners * (size + 1) + gaps, asked, side="right") - starts[:, None]
