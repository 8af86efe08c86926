"""Select the k best of scored movies, without those that a user has seen.

Here: one score for each movie, the same for all users. Not here: scores that differ between users (``kernels.topn``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs, positions


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
    size, k = len(order), min(k, len(order))
    different, user_rows = np.unique(users, return_inverse=True)
    owners, gaps, starts = _gaps(different, candidates, order, seen, k)
    before = np.arange(k)
    asked = np.arange(len(different))[:, None] * (size + 1) + before
    places = before + np.searchsorted(owners * (size + 1) + gaps, asked, side="right") - starts[:, None]
    places = places[user_rows]
    listed = places < size
    rows = order[places[listed]]
    ranks = np.broadcast_to(before + 1, places.shape)[listed].astype(np.int32)
    return np.broadcast_to(users[:, None], places.shape)[listed], ranks, candidates[rows], scores[rows]


def _gaps(
    users: Ids, candidates: Ids, order: NDArray[np.intp], seen: UserMoviePairs, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.intp]]:
    """For each seen place p_i, by user and place: the user's row and p_i − i; and where each user's begin, (users,).

    Of a user who has seen n movies, k unseen ones are among the first k + n: places after these are left out.
    """
    size = max(1, len(order))
    place_of = np.full(len(candidates) + 1, size)
    place_of[order] = np.arange(len(order))
    at, is_candidate = positions(seen.movies, candidates)
    places = np.where(is_candidate, place_of[at], size)
    rows, is_asked = positions(seen.users, users)
    last = k + np.bincount(rows, minlength=len(users)) if len(users) else np.zeros(1, np.int64)
    kept = is_asked & (places < np.minimum(last, size)[rows])
    owners, places = np.divmod(np.unique(rows[kept] * size + places[kept]), size)
    starts = np.searchsorted(owners, np.arange(len(users)))
    return owners, places - (np.arange(len(owners)) - starts[owners]), starts
