"""How far a figure, and its difference to the best peer's, would vary with other users: bootstrap over users.

The same users are drawn for all contestants (paired), so that a difference varies less than either figure. Efron and
Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 13 (percentile intervals).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20
DRAWS = 2_000
MAX_BLOCKS = 2_000
"""More users are summed in this many blocks, which are drawn whole: the variance is the same, the memory is bounded."""


@dataclass(frozen=True)
class PerUser:
    """What a figure is made of: Σ sums / Σ weights over users, of which RMSE is the root; both (n_users,)."""

    sums: NDArray[np.floating]
    weights: NDArray[np.floating]
    is_root: bool = False


@dataclass(frozen=True)
class Interval:
    """Half the width of a figure's 95 % interval, and its difference to the best peer; None for that peer itself."""

    half_width: float
    peer: str | None
    difference: float | None
    low: float | None
    high: float | None


def intervals(figures: Mapping[str, PerUser], peers: Collection[str]) -> dict[str, Interval]:
    """Return the intervals by contestant; of roots (errors) the lowest figure is the best, of others the highest.

    Args:
        figures: by contestant, of the same users in the same order.
        peers: the contestants of which the best is compared with.
    """
    if not figures:
        return {}
    users = {len(each.sums) for each in figures.values()}
    if len(users) != 1:
        raise ValueError(f"figures of different users: {sorted(users)}")
    blocks = min(users.pop(), MAX_BLOCKS)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(blocks, np.full(blocks, 1 / blocks), DRAWS).astype(np.float64)
    values = {name: float(_figure(each, blocks, np.ones((1, blocks)))[0]) for name, each in figures.items()}
    samples = {name: _figure(each, blocks, drawn) for name, each in figures.items()}
    present = sorted(name for name in figures if name in peers)
    errors = any(each.is_root for each in figures.values())
    best = min(present, key=lambda name: values[name] if errors else -values[name]) if present else None
    return {name: _interval(name, best, values, samples) for name in figures}


def _figure(of: PerUser, blocks: int, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """The figure in each draw; ``drawn`` (n_draws, blocks) says how often each block is in it."""
    block = np.arange(len(of.sums)) % blocks
    sums = np.bincount(block, of.sums, blocks)
    weights = np.bincount(block, of.weights, blocks)
    means: NDArray[np.float64] = (drawn @ sums) / (drawn @ weights)
    return np.sqrt(means) if of.is_root else means


def _interval(
    name: str, best: str | None, values: Mapping[str, float], samples: Mapping[str, NDArray[np.float64]]
) -> Interval:
    low, high = np.quantile(samples[name], (0.025, 0.975))
    half_width = float(high - low) / 2
    if best is None or name == best:
        return Interval(half_width, None, None, None, None)
    low, high = np.quantile(samples[name] - samples[best], (0.025, 0.975))
    return Interval(half_width, best, values[name] - values[best], float(low), float(high))
