"""Genre match: how much more of a movie's genres a user's history has than histories in general.

Here: both sides of the score. Not here: how it enters a ranking (``ranking.rerank``), the genres of a movie as bits
(``ranking.similar_items``).

g_i are the genres of movie i as a vector of length one, x_ui the rating weights, h_u = Σ_i x_ui g_i the history of a
user and a = Σ_u h_u. The score is (h_u / |h_u| − a / |a|) · g_i. EASE and implicit ALS know movies by who rated them;
genres say something of movies that few have rated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.data import Floats


@dataclass(frozen=True, slots=True)
class GenreMatch:
    """``movies`` (M, g): genre vectors of length one, zeros without genres; ``average`` (g,): a / |a|."""

    movies: Floats
    average: Floats

    @classmethod
    def of(cls, genre_bits: NDArray[np.uint8], popularity: Floats) -> GenreMatch:
        """From a bit for each genre, (M, bytes), and the rating weights that each movie got, (M,), up to a factor."""
        movies = _unit_length(np.unpackbits(genre_bits, axis=1).astype(np.float32))
        return cls(movies, _unit_length((popularity @ movies)[None, :])[0])

    def user_side(self, weights: sparse.csr_matrix) -> Floats:
        """The users' side (n, g) of the score, whose other side is ``movies``; zeros without a history.

        Args:
            weights: rating weights, (n, M).
        """
        histories = _unit_length(np.asarray(weights @ self.movies, np.float32))
        return np.where(histories.any(axis=1, keepdims=True), histories - self.average, np.float32(0.0))


def _unit_length(rows: NDArray[Any]) -> Floats:
    """Each row divided by its length; zeros stay zeros."""
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(lengths, np.float32(1e-12)), np.float32)
