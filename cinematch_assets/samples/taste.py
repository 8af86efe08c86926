"""How much more often than by chance a user rates a movie, by correspondence analysis of who rated what.

If users chose movies by popularity alone, user u would rate movie i in proportion to n_u n_i. The singular value
decomposition of the co-occurrences, each divided by √(n_u n_i), has this as its first component; the next ones are the
directions of taste, and u · i of their coordinates is the relative excess over independence (Greenacre, "Correspondence
Analysis in Practice"). Small counts have ``DAMPING`` added, so that little-known users and movies stay near zero.

Here: coordinates of users and movies. Not here: which pairs are drawn by them (``simulate``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 30
POWER_ITERATIONS = 3
DAMPING = 30.0  # pseudo-ratings of each user and each movie
BLOCK_PAIRS = 1 << 17  # pairs whose coordinates are in memory at once: 30 MB


@dataclass(frozen=True, slots=True)
class Taste:
    """Coordinates of users (U, f) and movies (M, f) in the space of taste."""

    users: NDArray[np.float32]
    movies: NDArray[np.float32]

    @classmethod
    def fit(cls, users: NDArray[np.int64], movies: NDArray[np.int64], shape: tuple[int, int], seed: int = 0) -> "Taste":
        """Fit to rated pairs, positions below the ``shape`` (U, M); with one user or one movie there is no taste."""
        from scipy import sparse  # noqa: PLC0415
        from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415  takes a second to import

        components = min(COMPONENTS + 1, *shape)
        user_scale = np.sqrt(np.bincount(users, minlength=shape[0]) + DAMPING)
        movie_scale = np.sqrt(np.bincount(movies, minlength=shape[1]) + DAMPING)
        scaled = sparse.csr_matrix((1 / (user_scale[users] * movie_scale[movies]), (users, movies)), shape=shape)
        left, singular, right = randomized_svd(scaled, components, n_iter=POWER_ITERATIONS, random_state=seed)
        of_users = left[:, 1:] * singular[1:] / user_scale[:, None] * len(users)
        return cls(of_users.astype(np.float32), (right[1:].T / movie_scale[:, None]).astype(np.float32))

    def excess(self, users: NDArray[np.int64], movies: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the relative excess over independence of pairs, (pairs,): 0 is by chance, 1 twice as often."""
        blocks = [
            np.einsum("ij,ij->i", self.users[users[at : at + BLOCK_PAIRS]], self.movies[movies[at : at + BLOCK_PAIRS]])
            for at in range(0, max(len(users), 1), BLOCK_PAIRS)
        ]
        return np.asarray(np.concatenate(blocks), np.float32)
