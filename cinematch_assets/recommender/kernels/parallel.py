"""Threads and blocks: how many threads kernels run on, and how rows are shared among them.

Here: the number of threads, blocks of equal work, BLAS on one thread. Not here: what a block computes
(``topn``, ``recommender.rating_prediction.als``, ``recommender.ranking.ease_sparse``).

How rows are cut into blocks does not depend on the number of threads, and each block writes rows of its own: results
are the same on one thread and on many.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

MAX_BLOCKS = 512
MIN_BLOCK_ROWS = 16

ROW_COST = 16
"""A row of a sparse matrix costs about as much as this many stored cells, however few it has."""

_threads: ContextVar[int | None] = ContextVar("threads", default=None)


def thread_count() -> int:
    """Threads to use: those of ``use_threads``, otherwise the processors that this process may use."""
    chosen = _threads.get()
    if chosen is not None:
        return chosen
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Run the kernels called inside on ``count`` threads."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS on one thread inside ``with``, so that its sums have one order."""
    limited: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _libraries() -> ThreadpoolController:
    """The libraries of this process with threads of their own, found once: looking for them takes milliseconds."""
    import scipy.linalg  # noqa: F401, PLC0415  its BLAS is another one than numpy's, and has to be loaded by now

    return ThreadpoolController()


def run_blocks(work: Callable[[int], None], blocks: range) -> None:
    """Call ``work`` for each number of ``blocks`` on all threads; the first error, in their order, is raised."""
    with one_blas_thread(), ThreadPoolExecutor(thread_count()) as pool:
        for done in pool.map(work, blocks):
            _ = done


def balanced_blocks(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bounds (b + 1,) that cut rows into blocks of about equal work: block i is rows ``bounds[i]:bounds[i + 1]``.

    ``starts`` (n + 1,) are the row pointers of a sparse matrix.
    """
    rows = len(starts) - 1
    blocks = min(max(1, rows // MIN_BLOCK_ROWS), MAX_BLOCKS)
    work = starts + ROW_COST * np.arange(len(starts))
    cuts = np.searchsorted(work, np.linspace(0, work[-1], blocks + 1)[1:-1])
    return np.unique(np.concatenate([[0], cuts, [rows]])).astype(np.int64)
