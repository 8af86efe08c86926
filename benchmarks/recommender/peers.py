# ruff: noqa: D101, D102 - every contestant answers the same four calls, which worker.py makes
"""The peers, each as its documentation shows it; what is tuned says so. Runs in the peers' environment: imports of one
library stay inside its class, because another may be missing.
"""

from collections.abc import Callable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Array = NDArray[Any]
USERS_PER_BLOCK = 500
PAIRS_PER_BLOCK = 1 << 18
BLOCK_ITEMS = 2_000
MAX_SEARCH_USERS = 10_000

Hyperparameters = tuple[int, float, float]
GRID = ((8, 16, 32, 64, 128), (1.0, 10.0, 30.0, 100.0, 300.0), (1.0, 3.0, 10.0, 30.0))
"""Factors, regularization and alpha that implicit is tuned over."""


class Peer:
    """Ids become rows and columns of a matrix; its columns are all movies of the catalogue."""

    package = "numpy"
    note = ""

    def __init__(self, _folder: Path) -> None:
        self.versions = f"{self.package} {version(self.package)}"

    def prepare(self, split: dict[str, Any]) -> None:
        self.users = np.unique(split["users"])
        self.movies = np.union1d(split["catalogue"], split["movies"])
        self.rows = np.searchsorted(self.users, split["users"]).astype(np.int32)
        self.columns = np.searchsorted(self.movies, split["movies"]).astype(np.int32)
        self.ratings = split["ratings"]
        self.mean = float(self.ratings.mean(dtype=np.float64))
        self.rated = np.unique(self.columns)

    def matrix(self, values: Array) -> sp.csr_matrix:
        shape = (len(self.users), len(self.movies))
        return sp.csr_matrix((values.astype(np.float32), (self.rows, self.columns)), shape=shape)

    def predict(self, _users: Array, _movies: Array) -> Array | None:
        return None

    def recommend(self, _users: Array, _k: int) -> Array | None:
        return None

    def row_of(self, users: Array) -> Array:
        """Rows of these users; a user without ratings gets another one's."""
        return np.minimum(np.searchsorted(self.users, users), len(self.users) - 1)

    def best(self, scores: Callable[[Array], Array], users: Array, k: int) -> Array:
        """The ``k`` best movies without training items, from scores of all movies by block of rows."""
        seen = self.matrix(self.ratings)
        rows = self.row_of(users)
        best = [self._best_of(scores(block), seen[block], k) for block in _blocks(rows, USERS_PER_BLOCK)]
        return self.movies[np.concatenate(best)]

    def _best_of(self, scores: Array, seen: sp.csr_matrix, k: int) -> Array:
        """Columns of the highest scores, the lower column first among equals, (users of a block, k)."""
        scores = np.array(scores, np.float32)
        scores[seen.nonzero()] = -np.inf
        kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
        best = np.empty((len(scores), k), np.int64)
        for row, line in enumerate(scores):
            able = np.flatnonzero(line >= kth[row])
            best[row] = able[np.argsort(-line[able], kind="stable")[:k]]
        return best

    def of_rated(self, scores: Array) -> Array:
        """Scores of rated movies (n, rated) as scores of all movies, the others last."""
        every = np.full((len(scores), len(self.movies)), -np.inf, np.float32)
        every[:, self.rated] = scores
        return every


def _blocks(rows: Array, size: int) -> list[Array]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def climb(score: Callable[[Hyperparameters], float], start: Hyperparameters) -> Hyperparameters:
    """Coordinate search: the best grid point reached from ``start`` by single steps that each improve the score."""
    while True:
        at = [values.index(value) for values, value in zip(GRID, start, strict=True)]
        near = [
            (*start[:axis], values[step], *start[axis + 1 :])
            for axis, values in enumerate(GRID)
            for step in (at[axis] - 1, at[axis] + 1)
            if 0 <= step < len(values)
        ]
        best = max(near, key=score)
        if score(best) <= score(start):
            return start
        start = best


def _products(user_factors: Array, movie_factors: Array, users: Array, movies: Array) -> Array:
    """p_u · q_i of each pair, (n,), by block: factors of millions of pairs would be gigabytes."""
    pairs = zip(_blocks(users, PAIRS_PER_BLOCK), _blocks(movies, PAIRS_PER_BLOCK), strict=True)
    return np.concatenate([np.einsum("nk,nk->n", user_factors[u], movie_factors[i]) for u, i in pairs])


class Popularity(Peer):
    def fit(self, _split: dict[str, Any]) -> None:
        self.counts = np.bincount(self.columns, minlength=len(self.movies))

    def recommend(self, users: Array, k: int) -> Array:
        return self.best(lambda rows: np.broadcast_to(self.counts, (len(rows), len(self.counts))), users, k)


class GradedEase(Peer):
    """Steck 2019, eq. 8, on ratings instead of clicks. The inverse takes the place of the Gram matrix, in float32:
    59,000 movies are 14 GB once.
    """

    note = "r / 5, λ = 300; no library has it, so it is written here: one inverse of movies × movies, by Cholesky"

    def fit(self, _split: dict[str, Any]) -> None:
        self.x = self.matrix(self.ratings / 5.0)[:, self.rated]
        self.inverse = self._gram(self.x)
        invert(self.inverse)

    def _gram(self, x: sp.csr_matrix) -> Array:
        """X'X + λ, made by block of movies, (movies, movies)."""
        gram = np.zeros((x.shape[1], x.shape[1]), np.float32)
        movies = x.T.tocsr()
        for first in range(0, len(gram), BLOCK_ITEMS):
            block = slice(first, first + BLOCK_ITEMS)
            (movies[block] @ x).toarray(out=gram[block])
        gram[np.diag_indices_from(gram)] += np.float32(300.0)
        return gram

    def recommend(self, users: Array, k: int) -> Array:
        # B = I - P / diag(P); its diagonal of zeros moves training items only, which no list holds.
        scale = -1 / np.diag(self.inverse)
        return self.best(lambda rows: self.of_rated((self.x[rows] @ self.inverse) * scale), users, k)


def invert(matrix: Array) -> None:
    """The inverse of a symmetric positive definite matrix (n, n) in its place, through A = LLᵀ, by block.

    LAPACK's own does it in one call, but counts cells in 32 bits: it ends with a segmentation fault at 59,000 movies.
    """
    from scipy.linalg import cholesky, solve_triangular

    n = len(matrix)
    blocks = [slice(first, min(first + BLOCK_ITEMS, n)) for first in range(0, n, BLOCK_ITEMS)]
    for here in blocks:  # the lower triangle becomes L, a column of blocks at a time
        left, below = slice(0, here.start), slice(here.stop, n)
        matrix[here, here] -= matrix[here, left] @ matrix[here, left].T
        matrix[here, here] = corner = cholesky(matrix[here, here], lower=True)
        matrix[below, here] -= matrix[below, left] @ matrix[here, left].T
        matrix[below, here] = solve_triangular(corner, matrix[below, here].T, lower=True).T
    for here in blocks:  # and L its inverse: L⁻¹ of these rows is -K⁻¹ L J, with J that of the rows above
        left = slice(0, here.start)
        corner = solve_triangular(matrix[here, here], np.eye(here.stop - here.start, dtype=matrix.dtype), lower=True)
        matrix[here, here] = corner
        for to in blocks:
            if to.start >= here.start:
                break
            known = slice(to.start, here.start)
            matrix[here, to] = -corner @ (matrix[here, known] @ matrix[known, to])
    for here in blocks:  # A⁻¹ = L⁻ᵀ L⁻¹, of which these rows need no L above them
        below = slice(here.start, n)
        for to in blocks:
            if to.start > here.start:
                break
            matrix[here, to] = matrix[below, here].T @ matrix[below, to]
        matrix[: here.start, here] = matrix[here, : here.start].T


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

    def recommend(self, users: Array, k: int) -> Array:
        m, known = self.model, self.model.trainset
        u = np.array([known.to_inner_uid(user) for user in self.users.tolist()])
        i = [known.to_inner_iid(movie) for movie in self.movies[self.rated].tolist()]
        movies, bias = m.qi[i].T, m.bi[i]
        return self.best(lambda rows: self.of_rated(m.pu[u[rows]] @ movies + bias), users, k)


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

    def recommend(self, users: Array, k: int) -> Array:
        from lenskit.data import ItemList, RecQuery

        items = ItemList(item_ids=self.movies)

        def scores(rows: Array) -> Array:
            asked = [RecQuery(user_id=one, user_items=self.data.user_row(one)) for one in self.users[rows]]
            return np.nan_to_num([self.model(query, items).scores() for query in asked], nan=-np.inf)

        return self.best(scores, users, k)


class CornacMf(Peer):
    package = "cornac"
    note = "64 factors, else defaults, seed 42"

    def fit(self, _split: dict[str, Any]) -> None:
        import cornac

        # Only rated movies: cornac takes the highest column for the number of movies, and has no factors beyond it.
        rated = self.movies[self.rated]
        uid, iid = ({one: at for at, one in enumerate(ids.tolist())} for ids in (self.users, rated))
        columns = np.searchsorted(self.rated, self.columns).astype(np.int64)
        triples = (self.rows.astype(np.int64), columns, self.ratings.astype(np.float64))
        known = cornac.data.Dataset(len(uid), len(iid), uid, iid, triples, seed=42)
        self.model = cornac.models.MF(k=64, seed=42, verbose=False).fit(known)

    def predict(self, users: Array, movies: Array) -> Array:
        m = self.model
        rated = self.movies[self.rated]
        u, i = self.row_of(users), np.minimum(np.searchsorted(rated, movies), len(rated) - 1)
        known_user, known_movie = self.users[u] == users, rated[i] == movies
        stars = self.mean + np.where(known_user, m.u_biases[u], 0) + np.where(known_movie, m.i_biases[i], 0)
        both = known_user & known_movie
        stars[both] += _products(m.u_factors, m.i_factors, u[both], i[both])
        return stars

    def recommend(self, users: Array, k: int) -> Array:
        m = self.model
        return self.best(lambda rows: self.of_rated(m.u_factors[rows] @ m.i_factors.T + m.i_biases), users, k)


class SparkAls(Peer):
    package = "pyspark"
    note = "rank 64, regParam 0.1, seed 42; the session is started and rows become Parquet outside the time"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.parquet = folder / "train.parquet"

    def prepare(self, split: dict[str, Any]) -> None:
        import pandas as pd
        from pyspark.sql import SparkSession

        super().prepare(split)
        pd.DataFrame({"u": split["users"], "m": split["movies"], "r": split["ratings"]}).to_parquet(self.parquet)
        builder = SparkSession.builder.master("local[*]").config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.ui.enabled", "false")
        self.spark = builder.config("spark.driver.memory", "5g").getOrCreate()
        self.spark.sparkContext.setLogLevel("ERROR")

    def fit(self, _split: dict[str, Any]) -> None:
        from pyspark.ml.recommendation import ALS

        rows = self.spark.read.parquet(str(self.parquet))
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
        stars[both] = _products(self.u[1], self.i[1], u[both], i[both])
        return stars

    def recommend(self, users: Array, k: int) -> Array:
        assert np.array_equal(self.u[0], self.users)
        assert np.array_equal(self.i[0], self.movies[self.rated])
        return self.best(lambda rows: self.of_rated(self.u[1][rows] @ self.i[1].T), users, k)


class ImplicitAls(Peer):
    """Tuned on a fifth of the training rows; the time of the search is not counted."""

    package = "implicit"

    def prepare(self, split: dict[str, Any]) -> None:
        super().prepare(split)
        every = self.matrix(self.ratings).tocoo()
        holdout = np.random.default_rng(42).random(len(every.data)) < 0.2
        inner = sp.csr_matrix((every.data[~holdout], (every.row[~holdout], every.col[~holdout])), shape=every.shape)
        liked = holdout & (every.data >= 4)
        relevant = sp.csr_matrix((np.ones(liked.sum()), (every.row[liked], every.col[liked])), shape=every.shape)
        ndcg: dict[Hyperparameters, float] = {}

        def validation_ndcg(chosen: Hyperparameters) -> float:
            if chosen not in ndcg:
                ndcg[chosen] = self._ndcg(self._fitted(inner, chosen), inner, relevant)
            return ndcg[chosen]

        if len(holdout) > 200_000:
            self.chosen = climb(validation_ndcg, (32, 100.0, 10.0))
        else:
            self.chosen = max(product(*GRID), key=validation_ndcg)
        self.note = "factors {}, regularization {}, alpha {}, by a search on a part of training; {} fits in it".format(
            *self.chosen, len(ndcg)
        )

    def _fitted(self, rows: sp.csr_matrix, chosen: Hyperparameters) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        factors, ridge, alpha = chosen
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=factors, regularization=ridge, alpha=alpha, iterations=15, random_state=42
            )
            model.fit(rows / 5.0, show_progress=False)
        return model

    def _ndcg(self, model: Any, rows: sp.csr_matrix, relevant: sp.csr_matrix) -> float:
        """nDCG@10 on the holdout."""
        users = np.flatnonzero(np.diff(relevant.indptr))
        users = np.random.default_rng(42).permutation(users)[:MAX_SEARCH_USERS]
        ids, _ = model.recommend(users, rows[users], N=10)
        wanted = np.diff(relevant.indptr)[users]
        hits = np.asarray(relevant[np.repeat(users, 10), ids.ravel()]).reshape(ids.shape) > 0
        discount = 1 / np.log2(np.arange(2, 12))
        return float(((hits * discount).sum(axis=1) / np.cumsum(discount)[np.minimum(wanted, 10) - 1]).mean())

    def fit(self, _split: dict[str, Any]) -> None:
        self.x = self.matrix(self.ratings)
        self.model = self._fitted(self.x, self.chosen)

    def recommend(self, users: Array, k: int) -> Array:
        at = self.row_of(users)
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
