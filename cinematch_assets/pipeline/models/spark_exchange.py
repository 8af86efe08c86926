"""What goes to Spark and what comes back: Parquet in a store, removed when the factors are read.

Here: the parts, their order, the factors. Not here: Spark itself, which ``dagster_support.spark_pipes`` starts, and
what the numbers mean (``recommender.rating_prediction.residual_als``).

A block of users is one file, so that Spark reads it as one partition: the order in which a row's ratings are added up
then follows from the rows alone (docs/decisions/0065).
"""

import logging
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.logs import log_phase
from cinematch_assets.plurals import count
from cinematch_assets.recommender.config import SparkAlsConfig
from cinematch_assets.recommender.data import Floats, Ids
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.rating_prediction.residual_als import (
    Factors,
    ResidualFit,
    ResidualRows,
    UnusableFactorsError,
)
from cinematch_assets.storage.base import Store
from cinematch_assets.storage.local import LocalStore

PREFIX = "spark/"
ROWS_PER_WRITE = 1 << 20
"""Rows sorted by block and written at once: 16 MB, and as much again for the order."""
_SCHEMA = pa.schema(
    [("user", pa.int32()), ("movie", pa.int32()), ("residual", pa.float32()), ("holdout_residual", pa.float32())]
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SparkJob:
    """One fit: where its rows are and its factors go, below ``key`` of the store, and how to fit."""

    store: Store
    key: str
    rows: int
    has_holdout: bool
    config: SparkAlsConfig
    seed: int

    def address(self, key: str) -> str:
        """Return where Spark finds a key: a path, or an address of S3."""
        return str(self.store.root.resolve() / key) if isinstance(self.store, LocalStore) else self.store.uri(key)

    @property
    def ratings(self) -> str:
        """The key below which the rows are, a file a block."""
        return f"{self.key}/ratings"

    @property
    def factors(self) -> str:
        """The key below which factors of all rows are written."""
        return f"{self.key}/factors"

    @property
    def holdout_factors(self) -> str:
        """The key below which factors of the rows that are not held out are written."""
        return f"{self.key}/holdout_factors"


Launch = Callable[[SparkJob, Progress], Mapping[str, str]]
"""Runs a job to its end and returns versions of what computed it."""


@dataclass(frozen=True, slots=True)
class SparkTrainer:
    """A ``ResidualTrainer`` that sends rows and reads factors through ``store``, which ``launch``'s Spark reaches."""

    store: Store
    launch: Launch

    def __call__(self, rows: ResidualRows, config: SparkAlsConfig, seed: int, progress: Progress) -> ResidualFit:
        """Write the rows, run the job, read the factors; nothing of it stays in the store."""
        key = f"{PREFIX}{secrets.token_hex(8)}"
        job = SparkJob(self.store, key, len(rows), rows.holdout_residuals is not None, config, seed)
        try:
            with log_phase(_LOG, f"write {count(len(rows), 'rating')} for Spark"):
                write_rows(job, rows)
            with log_phase(_LOG, "ALS on Spark"):
                computed_by = self.launch(job, progress)
            with log_phase(_LOG, "read factors of Spark"):
                factors = read_factors(self.store, job.factors)
                earlier = read_factors(self.store, job.holdout_factors) if job.has_holdout else None
            return ResidualFit(factors, earlier, computed_by)
        finally:
            _remove(self.store, key)


def write_rows(job: SparkJob, rows: ResidualRows) -> None:
    """Write each block of users to a file, in the order of the rows; beside the rows it needs one ``ROWS_PER_WRITE``.

    The block of a user is their id modulo the number of blocks, as in Spark's own partitioner.
    """
    blocks = job.config.blocks(len(rows))
    with ExitStack() as files:
        writers: dict[int, pq.ParquetWriter] = {}
        for start in range(0, len(rows), ROWS_PER_WRITE):
            chunk = slice(start, start + ROWS_PER_WRITE)
            of_block = rows.users[chunk] % blocks
            order = np.argsort(of_block, kind="stable")
            bounds = np.searchsorted(of_block[order], np.arange(blocks + 1))
            for block in np.unique(of_block).tolist():
                part = start + order[bounds[block] : bounds[block + 1]]
                if block not in writers:
                    path = files.enter_context(job.store.staged(f"{job.ratings}/block-{block:05d}.parquet"))
                    writers[block] = files.enter_context(pq.ParquetWriter(path, _SCHEMA))
                writers[block].write_table(_table(rows, part))


def _table(rows: ResidualRows, part: np.ndarray) -> pa.Table:
    earlier = np.full(len(part), np.nan, np.float32) if rows.holdout_residuals is None else rows.holdout_residuals[part]
    columns = [
        pa.array(rows.users[part]),
        pa.array(rows.movies[part]),
        pa.array(rows.residuals[part]),
        pa.array(earlier, from_pandas=True),  # NaN, a rating that is held out, becomes null
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def read_factors(store: Store, key: str) -> Factors:
    """Read the factors that Spark wrote below ``key``, by ascending id.

    Raises:
        UnusableFactorsError: a side has none, or rows of several lengths.
    """
    (users, user_factors), (movies, movie_factors) = (
        _read_side(store, f"{key}/{side}") for side in ("users", "movies")
    )
    return Factors(users, movies, user_factors, movie_factors)


def _read_side(store: Store, key: str) -> tuple[Ids, Floats]:
    parts = list(_read_parts(store, key))
    if not sum(len(ids) for ids, _ in parts):
        raise UnusableFactorsError(f"Spark wrote no factors: there are none in {store.uri(key)}")
    widths = {factors.shape[1] for _, factors in parts if len(factors)}
    if len(widths) > 1:
        raise UnusableFactorsError(f"Spark wrote factors of different lengths, {sorted(widths)}, in {store.uri(key)}")
    ids = np.concatenate([ids for ids, _ in parts])
    factors = np.concatenate([factors for _, factors in parts if len(factors)])
    order = np.argsort(ids)
    return ids[order], factors[order]


def _read_parts(store: Store, key: str) -> Iterator[tuple[Ids, Floats]]:
    for part in store.keys(f"{key}/"):
        if not part.endswith(".parquet"):
            continue
        with store.path(part) as path:
            table = pq.read_table(path, columns=["id", "features"], memory_map=False).combine_chunks()
        ids = table["id"].to_numpy().astype(np.int32)
        values = table["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        if len(ids) and len(values) % len(ids):
            raise UnusableFactorsError(f"Spark wrote factors of different lengths in {store.uri(part)}")
        yield ids, values.reshape(len(ids), -1) if len(ids) else np.zeros((0, 0), np.float32)


def remove_exchanged(store: Store) -> None:
    """Remove what killed trainings left; only while no other one can be under way."""
    _remove(store, PREFIX.rstrip("/"))


def _remove(store: Store, key: str) -> None:
    """Remove everything below ``key``; a store that fails now is not what the caller has to hear of."""
    try:
        if isinstance(store, LocalStore):  # Spark's hidden check sums and empty folders are no objects
            shutil.rmtree(store.root / key, ignore_errors=True)
        for each in list(store.keys(f"{key}/")):
            store.delete(each)
    except SurroundingsError as fault:
        _LOG.warning("%s stays in the store until maintenance removes it: %s", key, fault)
