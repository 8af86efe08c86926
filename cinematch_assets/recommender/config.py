"""Every knob of the recommender, with its default and the reason for it.

Here: plain numbers. Not here: what they do to a model (``stars``, ``ranking``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from cinematch_assets.errors import CinematchError

Method = Literal["auto", "bayes", "als", "biases"]


class RankingConfigError(CinematchError):
    """A knob of the ranker is out of range; the message names it."""


@dataclass(frozen=True, slots=True)
class RankingConfig:
    """Knobs of a ranker; the defaults were chosen on a validation part of training rows (docs/decisions/0060)."""

    ridge: float = 150.0
    """λ: how many shared ratings a pair of films needs before it counts."""
    dropout: float = 1.0
    """p / (1 − p) of Steck (2020): the share of a film's own co-ratings added to its λ; popular films are held back."""
    user_exponent: float = 0.4
    """Users weigh (their ratings / mean)^-this."""
    novelty: float = 0.2
    """Scores are multiplied by (share of users who rated the film)^-this: a third more films listed, at no loss."""
    likings: float = 0.7
    """What likings weigh in the order of a list, likeness being 1."""
    stars: float = 0.5
    """What the stars to expect weigh in it."""
    dual_users: int = 3_000
    """Up to so many users the exact method of ``ranking.dual`` is taken: one matrix of users², at most 36 MB."""
    core_films: int = 6_000
    """Films of the exact inverse of ``ranking.sparse``: 144 MB and some seconds; it grows with the cube."""
    neighbours: int = 20
    """Films that each film outside the exact inverse leans on."""
    kept: int = 10
    """Of these, how many are stored: the others cost time in every list, and nDCG@10 is no better with them."""

    def __post_init__(self) -> None:
        for name in ("ridge", "core_films", "neighbours", "kept"):
            if not getattr(self, name) > 0:
                raise RankingConfigError(f"{name} is {getattr(self, name)}, and must be above 0")
        for name in ("dropout", "user_exponent", "novelty", "likings", "stars", "dual_users"):
            if not getattr(self, name) >= 0:
                raise RankingConfigError(f"{name} is {getattr(self, name)}, and must not be negative")


class RecommenderConfigError(CinematchError):
    """A knob is outside what the methods can do; the message names it."""


@dataclass(frozen=True, slots=True)
class RecommenderConfig:
    """How to fit; the defaults were chosen on a validation part of training rows (docs/decisions/0050)."""

    method: Method = "auto"
    factors: int = 12
    """Factors of one sample. 8 was a little worse on both MovieLens sets, 24 better on one and worse on the other."""
    chains: int = 4
    """Independent chains: more of them say more than longer ones, and each can have a processor of its own."""
    sweeps: int = 75
    burn_in: int = 20
    thinning: int = 2
    """Neighbouring samples say much the same; every second one is kept, for half the memory."""
    rank: int = 64
    """Factors of the stored average; with 64 the RMSE is within 0.0001 of the average itself."""
    row_sweeps: int = 60_000_000
    """Ratings × sweeps × chains that a fit may cost, about 20 s on two cores; beyond it there are fewer sweeps."""
    fewest_sweeps: int = 30
    bayes_rows: int = 500_000
    """Up to so many ratings stars are sampled; above, least squares say nearly as much in a tenth of the time."""
    als_factors: int = 64
    als_sweeps: int = 8
    ranking: RankingConfig = field(default_factory=RankingConfig)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise RecommenderConfigError(f"method is '{self.method}', and may be {', '.join(get_args(Method))}")
        for name in ("factors", "chains", "sweeps", "thinning", "rank", "fewest_sweeps", "als_factors", "als_sweeps"):
            if getattr(self, name) < 1:
                raise RecommenderConfigError(f"{name} is {getattr(self, name)}, and must be at least 1")
        if not 0 <= self.burn_in < self.sweeps:
            raise RecommenderConfigError(f"burn_in is {self.burn_in}, and must be below sweeps, {self.sweeps}")
