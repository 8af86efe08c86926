"""ALS in numpy in the place of Spark's: it reads the files that Spark would read, and writes those that it would write.

Here: the launcher of a job, for tests of everything around Spark. Not here: Spark itself
(``cinematch_assets.dagster_support.train_on_spark``).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cinematch_assets.pipeline.models.spark_exchange import SparkJob
from cinematch_assets.recommender.config import SparkAlsConfig
from cinematch_assets.recommender.progress import Progress

VERSIONS = {"spark": "numpy's", "java": "none"}


def fit_in_numpy(job: SparkJob, _progress: Progress) -> Mapping[str, str]:
    """Run a job as Spark does: ridge λn, a file of factors for each block."""
    rows = pq.read_table(job.address(job.ratings)).to_pandas()
    if job.has_holdout:
        kept = rows[rows["holdout_residual"].notna()]
        _fit(job, kept["user"], kept["movie"], kept["holdout_residual"], job.holdout_factors, job.config.holdout_sweeps)
    _fit(job, rows["user"], rows["movie"], rows["residual"], job.factors, job.config.sweeps)
    return VERSIONS


def _fit(job: SparkJob, user_ids: object, movie_ids: object, residuals: object, key: str, sweeps: int) -> None:
    users, u = np.unique(np.asarray(user_ids), return_inverse=True)
    movies, m = np.unique(np.asarray(movie_ids), return_inverse=True)
    values = np.asarray(residuals, np.float64)
    q = np.random.default_rng(job.seed).normal(0, 0.3, (len(movies), job.config.factors))
    for _ in range(sweeps):
        p = _solve(u, m, values, q, len(users), job.config)
        q = _solve(m, u, values, p, len(movies), job.config)
    for side, ids, factors in (("users", users, p), ("movies", movies, q)):
        folder = Path(job.address(f"{key}/{side}"))
        folder.mkdir(parents=True)
        (folder / "_SUCCESS").touch()
        (folder / ".part.crc").touch()
        blocks = job.config.blocks(job.rows)
        for block in range(blocks):
            own = ids % blocks == block
            features = pa.array(factors[own].astype(np.float32).tolist(), pa.list_(pa.float32()))
            pq.write_table(
                pa.table({"id": ids[own], "features": features}), folder / f"part-{block:05d}.snappy.parquet"
            )


def _solve(
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    values: NDArray[np.float64],
    fixed: NDArray[np.float64],
    count: int,
    config: SparkAlsConfig,
) -> NDArray[np.float64]:
    solved = np.zeros((count, fixed.shape[1]))
    for row in range(count):
        mine = rows == row
        q = fixed[columns[mine]]
        ridge = config.ridge_per_rating * mine.sum() * np.eye(fixed.shape[1])
        solved[row] = np.linalg.solve(q.T @ q + ridge, q.T @ values[mine])
    return solved
