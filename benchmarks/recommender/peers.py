# ruff: noqa: D101, D102 - every contestant answers the same four calls, which worker.py makes
"""The peers, each as its documentation shows it; what is tuned says so. Runs in the peers' environment: imports of one
library stay inside its class, because another may be missing.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Array = NDArray[Any]


class Peer:
    """Ids become rows and columns of a matrix; columns are the whole catalogue."""

    package = "numpy"
    note = ""

    def __init__(self, _folder: Path) -> None:
        self.versions = f"{self.package} {version(self.package)}"

    def prepare(self, split: dict[str, Any]) -> None:
        self.users = np.unique(split["users"])
        self.movies = np.union1d(split["catalogue"], split["movies"])
        self.rows = np.searchsorted(self.users, split["users"])
        self.columns = np.searchsorted(self.movies, split["movies"])
        self.ratings = split["ratings"].astype(np.float64)
        self.mean = float(self.ratings.mean())

    def matrix(self, values: Array) -> sp.csr_matrix:
        shape = (len(self.users), len(self.movies))
        return sp.csr_matrix((values.astype(np.float32), (self.rows, self.columns)), shape=shape)

    def predict(self, _users: Array, _movies: Array) -> Array | None:
        return None

    def lists(self, _users: Array, _k: int) -> Array | None:
        return None

    def of_scores(self, scores: Array, users: Array, k: int) -> Array:
        """Lists from scores of all users and movies, without training items; strangers get the first movies."""
        scores = np.array(scores, np.float32)
        scores[self.rows, self.columns] = -np.inf
        at = np.minimum(np.searchsorted(self.users, users), len(self.users) - 1)
        return self.movies[np.argsort(-scores[at], axis=1, kind="stable")[:, :k]]


class Popularity(Peer):
    def fit(self, _split: dict[str, Any]) -> None:
        self.counts = np.bincount(self.columns, minlength=len(self.movies))

    def lists(self, users: Array, k: int) -> Array:
        return self.of_scores(np.broadcast_to(self.counts, (len(self.users), len(self.movies))), users, k)


class GradedEase(Peer):
    """Steck 2019, eq. 8, on ratings instead of clicks."""

    note = "r / 5, λ = 300; no library has it, so it is written here: one inverse of movies × movies"

    def fit(self, _split: dict[str, Any]) -> None:
        self.x = self.matrix(self.ratings / 5.0)
        gram = (self.x.T @ self.x).toarray().astype(np.float32)
        gram[np.diag_indices_from(gram)] += np.float32(300.0)
        inverse = np.linalg.inv(gram)
        self.b = inverse / -np.diag(inverse)
        np.fill_diagonal(self.b, 0.0)

    def lists(self, users: Array, k: int) -> Array:
        return self.of_scores(self.x @ self.b, users, k)


class SurpriseModel(Peer):
    package = "scikit-surprise"

    def fit(self, split: dict[str, Any]) -> None:
        import pandas as pd
        from surprise import Dataset, Reader

        frame = pd.DataFrame({"u": split["users"], "m": split["movies"], "r": split["ratings"]})
        reader = Reader(rating_scale=(float(self.ratings.min()), float(self.ratings.max())))
        self.model = self.make()
        self.model.fit(Dataset.load_from_df(frame, reader).build_full_trainset())

    def make(self) -> Any:
        raise NotImplementedError

    def predict(self, users: Array, movies: Array) -> Array:
        pairs = zip(users.tolist(), movies.tolist(), strict=True)
        return np.array([self.model.predict(user, movie).est for user, movie in pairs])


class SurpriseSvd(SurpriseModel):
    note = "defaults, seed 42"

    def make(self) -> Any:
        from surprise import SVD

        return SVD(random_state=42)

    def lists(self, users: Array, k: int) -> Array:
        m, known = self.model, self.model.trainset
        scores = np.full((len(self.users), len(self.movies)), -np.inf, np.float32)
        u = [known.to_inner_uid(user) for user in self.users.tolist()]
        rated = np.unique(self.columns)
        i = [known.to_inner_iid(movie) for movie in self.movies[rated].tolist()]
        scores[:, rated] = m.pu[u] @ m.qi[i].T + m.bu[u][:, None] + m.bi[i]
        return self.of_scores(scores, users, k)


class SurpriseSvdpp(SurpriseModel):
    note = "defaults, seed 42"

    def make(self) -> Any:
        from surprise import SVDpp

        return SVDpp(random_state=42)


class SurpriseKnn(SurpriseModel):
    note = "defaults, by item"

    def make(self) -> Any:
        from surprise import KNNBaseline

        return KNNBaseline(sim_options={"user_based": False}, verbose=False)


class LensKit(Peer):
    package = "lenskit"
    note = "64 features, else defaults"

    def fit(self, split: dict[str, Any]) -> None:
        import pandas as pd
        from lenskit.als import BiasedMFScorer
        from lenskit.data import from_interactions_df

        frame = pd.DataFrame({"user_id": split["users"], "item_id": split["movies"], "rating": split["ratings"]})
        self.data = from_interactions_df(frame)
        self.model = BiasedMFScorer(features=64)
        self.model.train(self.data)

    def predict(self, users: Array, movies: Array) -> Array:
        from lenskit.data import ItemList, RecQuery

        out = np.full(len(users), self.mean)
        order = np.argsort(users, kind="stable")
        people, starts = np.unique(users[order], return_index=True)
        for person, part in zip(people, np.split(order, starts[1:]), strict=True):
            row = self.data.user_row(person)
            scored = self.model(RecQuery(user_id=person, user_items=row), ItemList(item_ids=movies[part]))
            out[part] = np.nan_to_num(scored.scores(), nan=self.mean)
        return out

    def lists(self, users: Array, k: int) -> Array:
        from lenskit.data import ItemList, RecQuery

        scores = np.full((len(self.users), len(self.movies)), -np.inf, np.float32)
        items = ItemList(item_ids=self.movies)
        for at, person in enumerate(self.users):
            scored = self.model(RecQuery(user_id=person, user_items=self.data.user_row(person)), items)
            scores[at] = np.nan_to_num(scored.scores(), nan=-np.inf)
        return self.of_scores(scores, users, k)


class CornacMf(Peer):
    package = "cornac"
    note = "64 factors, else defaults, seed 42"

    def fit(self, split: dict[str, Any]) -> None:
        import cornac

        rows = list(zip(split["users"].tolist(), split["movies"].tolist(), split["ratings"].tolist(), strict=True))
        self.known = cornac.data.Dataset.from_uir(rows, seed=42)
        self.model = cornac.models.MF(k=64, seed=42, verbose=False).fit(self.known)

    def predict(self, users: Array, movies: Array) -> Array:
        m = self.model
        u = np.array([self.known.uid_map.get(user, -1) for user in users.tolist()])
        i = np.array([self.known.iid_map.get(movie, -1) for movie in movies.tolist()])
        stars = np.full(len(users), self.mean) + np.where(u >= 0, m.u_biases[u], 0) + np.where(i >= 0, m.i_biases[i], 0)
        both = (u >= 0) & (i >= 0)
        stars[both] += np.einsum("nk,nk->n", m.u_factors[u[both]], m.i_factors[i[both]])
        return stars

    def lists(self, users: Array, k: int) -> Array:
        m = self.model
        u = [self.known.uid_map[user] for user in self.users.tolist()]
        rated = np.unique(self.columns)
        i = [self.known.iid_map[movie] for movie in self.movies[rated].tolist()]
        scores = np.full((len(self.users), len(self.movies)), -np.inf, np.float32)
        scores[:, rated] = m.u_factors[u] @ m.i_factors[i].T + m.i_biases[i]
        return self.of_scores(scores, users, k)


class SparkAls(Peer):
    package = "pyspark"
    note = "rank 64, regParam 0.1, seed 42; the session is started outside the time"

    def prepare(self, split: dict[str, Any]) -> None:
        from pyspark.sql import SparkSession

        super().prepare(split)
        builder = SparkSession.builder.master("local[*]").config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.ui.enabled", "false")
        self.spark = builder.config("spark.driver.memory", "6g").getOrCreate()
        self.spark.sparkContext.setLogLevel("ERROR")

    def fit(self, split: dict[str, Any]) -> None:
        import pandas as pd
        from pyspark.ml.recommendation import ALS

        frame = pd.DataFrame({"u": split["users"], "m": split["movies"], "r": split["ratings"].astype(np.float32)})
        rows = self.spark.createDataFrame(frame)
        als = ALS(rank=64, regParam=0.1, userCol="u", itemCol="m", ratingCol="r", seed=42)
        self.model = als.fit(rows)
        self.u, self.i = (self._factors(part) for part in (self.model.userFactors, self.model.itemFactors))

    def _factors(self, frame: Any) -> tuple[Array, Array]:
        rows = frame.toPandas().sort_values("id")
        return rows["id"].to_numpy(), np.stack(rows["features"].to_numpy())

    def predict(self, users: Array, movies: Array) -> Array:
        stars = np.full(len(users), self.mean)
        u, i = np.searchsorted(self.u[0], users), np.searchsorted(self.i[0], movies)
        u, i = np.minimum(u, len(self.u[0]) - 1), np.minimum(i, len(self.i[0]) - 1)
        both = (self.u[0][u] == users) & (self.i[0][i] == movies)
        stars[both] = np.einsum("nk,nk->n", self.u[1][u[both]], self.i[1][i[both]])
        return stars

    def lists(self, users: Array, k: int) -> Array:
        scores = np.full((len(self.users), len(self.movies)), -np.inf, np.float32)
        scores[:, np.searchsorted(self.movies, self.i[0])] = self.u[1] @ self.i[1].T
        return self.of_scores(scores, users, k)


class ImplicitAls(Peer):
    """Tuned on a fifth of the training rows; the time of the search is not counted."""

    package = "implicit"

    def prepare(self, split: dict[str, Any]) -> None:
        super().prepare(split)
        every = self.matrix(self.ratings).tocoo()
        held = np.random.default_rng(42).random(len(every.data)) < 0.2
        inner = sp.csr_matrix((every.data[~held], (every.row[~held], every.col[~held])), shape=every.shape)
        liked = held & (every.data >= 4)
        relevant = sp.csr_matrix((np.ones(liked.sum()), (every.row[liked], every.col[liked])), shape=every.shape)
        large = len(held) > 200_000
        grid = [
            (factors, ridge, alpha)
            for factors in ((64,) if large else (16, 32, 64, 128))
            for ridge in ((10.0, 100.0) if large else (1.0, 10.0, 30.0, 100.0, 300.0))
            for alpha in ((3.0, 10.0, 30.0) if large else (1.0, 3.0, 10.0, 30.0))
        ]
        found = [(self._worth(self._fitted(inner, knobs), inner, relevant), knobs) for knobs in grid]
        self.knobs = max(found)[1]
        self.note = "factors {}, regularization {}, alpha {}, by a search on a part of training".format(*self.knobs)

    def _fitted(self, rows: sp.csr_matrix, knobs: tuple[int, float, float]) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        factors, ridge, alpha = knobs
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=factors, regularization=ridge, alpha=alpha, iterations=15, random_state=42
            )
            model.fit(rows / 5.0, show_progress=False)
        return model

    def _worth(self, model: Any, rows: sp.csr_matrix, relevant: sp.csr_matrix) -> float:
        """nDCG@10 on the held part."""
        users = np.flatnonzero(np.diff(relevant.indptr))
        ids, _ = model.recommend(users, rows[users], N=10)
        wanted = np.diff(relevant.indptr)[users]
        hits = np.asarray(relevant[np.repeat(users, 10), ids.ravel()]).reshape(ids.shape) > 0
        discount = 1 / np.log2(np.arange(2, 12))
        return float(((hits * discount).sum(axis=1) / np.cumsum(discount)[np.minimum(wanted, 10) - 1]).mean())

    def fit(self, _split: dict[str, Any]) -> None:
        self.x = self.matrix(self.ratings)
        self.model = self._fitted(self.x, self.knobs)

    def lists(self, users: Array, k: int) -> Array:
        at = np.minimum(np.searchsorted(self.users, users), len(self.users) - 1)
        with threadpool_limits(1, "blas"):
            ids, _ = self.model.recommend(at, self.x[at], N=k)
        return self.movies[ids]


CONTESTANTS = {
    "Surprise SVD": SurpriseSvd,
    "Surprise SVD++": SurpriseSvdpp,
    "Surprise KNNBaseline": SurpriseKnn,
    "LensKit BiasedMF": LensKit,
    "cornac MF": CornacMf,
    "Spark ALS": SparkAls,
    "implicit ALS, tuned": ImplicitAls,
    "graded EASE": GradedEase,
    "popularity": Popularity,
}
