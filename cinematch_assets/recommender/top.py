"""Select the k best of many scores, without the movies that a user has seen.

Here: selection in blocks, so that memory stays bounded. Not here: compiled selection (``kernels.topn``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, Pairs, UserMoviePairs

BLOCK_CELLS = 8_000_000
"""Scores computed at a time: 32 MB of float32."""


def best_unseen(
    users: Ids,
    candidates: Ids,
    k: int,
    *,
    seen: UserMoviePairs,
    score: Callable[[Ids], Floats],
) -> tuple[Ids, Ids, Ids, Floats]:
    """Users, ranks, movies and scores of each user's ``k`` best candidates that they have not seen, flat.

    ``score(block)`` gives (users in block, candidates); ``candidates`` are ascending; a score of -inf is never taken.
    Equal scores are ordered by movie id.
    """
    step = max(1, BLOCK_CELLS // max(1, len(candidates)))
    order = np.argsort(seen.users, kind="stable")
    sorted_seen = Pairs(seen.users[order], seen.movies[order])
    parts = [
        _block(users[start : start + step], candidates, k, seen=sorted_seen, score=score)
        for start in range(0, len(users), step)
    ]
    if not parts:
        empty = np.zeros(0, np.int32)
        return empty, empty, empty, np.zeros(0, np.float32)
    block_users, ranks, movies, scores = zip(*parts, strict=True)
    return np.concatenate(block_users), np.concatenate(ranks), np.concatenate(movies), np.concatenate(scores)


def _block(
    users: Ids, candidates: Ids, k: int, *, seen: Pairs, score: Callable[[Ids], Floats]
) -> tuple[Ids, Ids, Ids, Floats]:
    scores = np.array(score(users), np.float32)
    first, last = np.searchsorted(seen.users, users, "left"), np.searchsorted(seen.users, users, "right")
    for row, (start, stop) in enumerate(zip(first, last, strict=True)):
        scores[row, np.isin(candidates, seen.movies[start:stop])] = -np.inf
    columns = best_columns(scores, k)
    found = np.take_along_axis(scores, columns, axis=1)
    listed = np.isfinite(found)
    ranks = np.broadcast_to(np.arange(1, columns.shape[1] + 1, dtype=np.int32), columns.shape)
    owners = np.broadcast_to(users[:, None], columns.shape)
    return owners[listed], ranks[listed], candidates[columns[listed]], found[listed]


def best_columns(scores: Floats, k: int) -> NDArray[np.intp]:
    """Columns of the ``k`` highest of each row of (n, m), highest first, ties by column."""
    k = min(k, scores.shape[1])
    if k == 0:
        return np.zeros((len(scores), 0), np.intp)
    lowest = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]
    out = np.empty((len(scores), k), np.intp)
    for row, least in enumerate(lowest):
        columns = np.flatnonzero(scores[row] >= least)
        out[row] = columns[np.lexsort((columns, -scores[row, columns]))[:k]]
    return out
