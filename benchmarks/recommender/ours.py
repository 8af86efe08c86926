# ruff: noqa: D102 - every contestant answers the same four calls, which worker.py makes
"""The shipped recommender, as contestants."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.recommender.config import AlsConfig, RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.model import Recommender, fit_recommender
from cinematch_assets.recommender.rating_prediction.als_table import fit_als_table
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable

SEED = 20_251_220


class Ours:
    """Training rows and the catalogue, for both contestants."""

    versions = f"numpy {np.__version__}"
    note = ""

    def __init__(self, folder: Path) -> None:
        self.catalogue = Catalogue.from_frame(pd.read_csv(folder / "movies.csv"))

    def prepare(self, split: dict[str, Any]) -> None:
        """Rows in canonical order, and kernels compiled, which happens once in the life of an installation."""
        self.train = Ratings.of(split["users"], split["movies"], split["ratings"], split["timestamps"])
        few = self.train.where(np.arange(len(self.train)) % max(1, len(self.train) // 2_000) == 0)
        self.fit_rows(few)

    def fit(self, _split: dict[str, Any]) -> None:
        self.fit_rows(self.train)

    def fit_rows(self, rows: Ratings) -> None:
        raise NotImplementedError


class Shipped(Ours):
    """``fit_recommender`` as the asset calls it."""

    model: Recommender

    def fit_rows(self, rows: Ratings) -> None:
        self.model = fit_recommender(rows, self.catalogue, config=RecommenderConfig(), seed=SEED)
        self.note = self.model.reason
        self.model.recommend(rows.users[:1], 1, seen=rows)

    def predict(self, users: NDArray[Any], movies: NDArray[Any]) -> NDArray[Any]:
        return self.model.predict(users, movies).ratings

    def recommend(self, users: NDArray[Any], k: int) -> NDArray[Any]:
        ranker, table = self.model.ranker, self.model.rating_table
        return ranker.top(users.astype(np.int32), k, self.train, rating_factors=table).movies


class LeastSquares(Ours):
    """The rating model for more ratings than can be sampled."""

    model: RatingTable
    note = "64 factors, 8 sweeps; rating prediction only"

    def fit_rows(self, rows: Ratings) -> None:
        self.model = fit_als_table(rows, self.catalogue, AlsConfig(), np.random.default_rng(SEED))

    def predict(self, users: NDArray[Any], movies: NDArray[Any]) -> NDArray[Any]:
        return self.model.predict(users, movies).ratings

    def recommend(self, _users: NDArray[Any], _k: int) -> None:
        return None


CONTESTANTS = {"cinematch": Shipped, "cinematch als": LeastSquares}
