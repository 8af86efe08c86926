"""How much more often than by chance a user rates a movie, by correspondence analysis of who rated what.

If users chose movies by popularity alone, user u would rate movie i in proportion to n_u n_i. A truncated SVD
of the co-occurrences, each divided by √(n_u n_i), smooths them; less what independence gives, they are
the relative excess over it (Greenacre, "Correspondence Analysis in Practice"). Small counts have ``DAMPING`` added, so
that little-known users and movies stay near zero.

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
    """Coordinates of users (U, f) and movies (M, f): their products are co-occurrences minus independence."""

    users: NDArray[np.float32]
    movies: NDArray[np.float32]

    @classmethod
    def fit(cls, users: NDArray[np.int64], movies: NDArray[np.int64], shape: tuple[int, int], seed: int = 0) -> "Taste":
        """Fit to rated pairs, positions below the ``shape`` (U, M); with one user or one movie there is no taste."""
        from scipy import sparse  # noqa: PLC0415
        from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415  takes a second to import

        components = min(COMPONENTS + 1, *shape)
        of_user, of_movie = np.bincount(users, minlength=shape[0]), np.bincount(movies, minlength=shape[1])
        user_scale, movie_scale = np.sqrt(of_user + DAMPING), np.sqrt(of_movie + DAMPING)
        scaled = sparse.csr_matrix((1 / (user_scale[users] * movie_scale[movies]), (users, movies)), shape=shape)
        left, singular, right = randomized_svd(scaled, components, n_iter=POWER_ITERATIONS, random_state=seed)
        user_side = left * singular / user_scale[:, None] * len(users)
        movie_side = right.T / movie_scale[:, None]
        return cls(
            np.column_stack([user_side, -of_user / user_scale**2]).astype(np.float32),
            np.column_stack([movie_side, of_movie / movie_scale**2]).astype(np.float32),
        )

    def excess(self, users: NDArray[np.int64], movies: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the relative excess over independence of pairs, (pairs,): 0 is by chance, 1 twice as often."""
        blocks = [
            np.einsum("ij,ij->i", self.users[users[at : at + BLOCK_PAIRS]], self.movies[movies[at : at + BLOCK_PAIRS]])
            for at in range(0, max(len(users), 1), BLOCK_PAIRS)
        ]
        return np.asarray(np.concatenate(blocks), np.float32)
