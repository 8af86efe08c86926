"""Baselines that the recommender has to beat: the global mean, biases alone, popularity.

Here: their fitting and answers. Not here: the recommender (``model``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import positions
from cinematch_assets.recommender.config import BiasConfig
from cinematch_assets.recommender.data import Catalogue, Floats, Ids, Ratings, UserMoviePairs
from cinematch_assets.recommender.protocol import Predictions, TopN
from cinematch_assets.recommender.rating_prediction.bias import fit_bias
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.top import best_unseen


@dataclass(frozen=True, slots=True)
class Baseline:
    """Ratings from a table without factors; recommendations by one score per movie, the same for every user.

    ``movie_scores`` is (M,), in the order of ``rating_table.movies``; ``movies`` is the catalogue.
    """

    method: str
    rating_table: RatingTable
    movies: Ids
    movie_scores: Floats

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """Predict the rating of each row."""
        return self.rating_table.predict(users, movies)

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """The highest scored movies that each user has not seen."""
        movie_ids = self.movies if candidates is None else np.unique(candidates).astype(np.int32)
        rows = self.rating_table.movie_rows(movie_ids)
        row = np.append(self.movie_scores, -np.inf).astype(np.float32)[rows]
        users_, ranks, movies, scores = best_unseen(users, movie_ids, k, seen=seen, scores=row)
        predicted = self.predict(users_, movies)
        return TopN(users_, ranks, movies, scores, predicted.ratings, predicted.std, predicted.half_width)


def global_mean(train: Ratings, catalogue: Catalogue) -> Baseline:
    """Predict the mean of all ratings; recommend the catalogue's first movies."""
    table = fit_bias(train, catalogue, BiasConfig(user_damping=np.inf, movie_damping=np.inf))
    return _baseline("global_mean", table, catalogue, np.zeros(len(table.movies), np.float32))


def bias_only(train: Ratings, catalogue: Catalogue) -> Baseline:
    """Predict by damped means of movies and users; recommend the movies with the best damped mean."""
    table = fit_bias(train, catalogue, BiasConfig())
    return _baseline("bias_only", table, catalogue, table.movie_bias[:-1])


def popularity(train: Ratings, catalogue: Catalogue) -> Baseline:
    """Predict by damped means of movies; recommend the movies most often rated, which a personal ranking must beat."""
    table = fit_bias(train, catalogue, BiasConfig(user_damping=np.inf))
    counts = np.bincount(positions(train.movies, table.movies)[0], minlength=len(table.movies))
    return _baseline("popularity", table, catalogue, counts.astype(np.float32))


def _baseline(method: str, table: RatingTable, catalogue: Catalogue, scores: NDArray[np.float32]) -> Baseline:
    return Baseline(method, table, catalogue.movies, scores)
