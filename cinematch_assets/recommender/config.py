"""Every knob of the recommender, with its default and the reason for it.

Here: plain numbers. Not here: what they do to a model (``stars``, ``ranking``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from cinematch_assets.errors import CinematchError

Method = Literal["auto", "bayes", "als", "biases"]


class RecommenderConfigError(CinematchError):
    """A knob is outside what the methods can do; the message names it."""


@dataclass(frozen=True, slots=True)
class BiasConfig:
    """Hyperparameters of biases: prior pseudo-counts of average ratings, of each user and of each movie."""

    user_damping: float = 5.0
    movie_damping: float = 5.0

    def __post_init__(self) -> None:
        _above_zero(self, "user_damping", "movie_damping")


@dataclass(frozen=True, slots=True)
class AlsConfig:
    """Knobs of ALS; the defaults were chosen on a validation part of training rows (docs/decisions/0061)."""

    factors: int = 64
    sweeps: int = 8
    steps: int = 1
    """Conjugate gradient steps per row and sweep: two and three cost half as much again each, and RMSE is no better."""
    ridge: float = 5.0
    """λ₀, on the factors of every row."""
    ridge_per_rating: float = 0.06
    """λ₁, for each rating of the row."""
    bias_damping: float = 5.0
    """How many average ratings a bias imagines first."""

    def __post_init__(self) -> None:
        _at_least_one(self, "factors", "sweeps", "steps")
        _above_zero(self, "ridge", "ridge_per_rating", "bias_damping")


@dataclass(frozen=True, slots=True)
class ImplicitAlsConfig:
    """Knobs of implicit ALS; the defaults were chosen on a validation part of training rows (docs/decisions/0060)."""

    factors: int = 32
    ridge: float = 5.0
    """λ, of which a row pays the more, the more is said of it."""
    confidence: float = 15.0
    """α: how much more a movie that was rated says than one that was not."""
    sweeps: int = 10
    steps: int = 3
    """Conjugate gradient steps per row and sweep."""

    def __post_init__(self) -> None:
        _at_least_one(self, "factors", "sweeps", "steps")
        _above_zero(self, "ridge", "confidence")


@dataclass(frozen=True, slots=True)
class RankingConfig:
    """Knobs of a ranker; the defaults were chosen on a validation part of training rows (docs/decisions/0060)."""

    ridge: float = 150.0
    """λ: how many shared ratings a pair of movies needs before it counts."""
    dropout: float = 1.0
    """p / (1 − p) of Steck (2020): the share of a movie's own co-ratings added to its λ: less of what is popular."""
    user_exponent: float = 0.4
    """Users weigh (their ratings / mean)^-this."""
    novelty: float = 0.2
    """Scores are multiplied by (share of users who rated the movie)^-this: a third more movies listed, at no loss."""
    likings: float = 0.7
    """What likings weigh in the order of a list, likeness being 1."""
    stars: float = 0.5
    """What the stars to expect weigh in it."""
    dual_users: int = 3_000
    """Up to so many users the exact method of ``ranking.dual`` is taken: one matrix of users², at most 36 MB."""
    head_items: int = 6_000
    """Movies of the exact inverse of ``ranking.sparse``: 144 MB and some seconds; it grows with the cube."""
    neighbours: int = 20
    """Movies that each movie outside the exact inverse leans on."""
    kept: int = 10
    """Of these, how many are stored: the others cost time in every list, and nDCG@10 is no better with them."""

    def __post_init__(self) -> None:
        _above_zero(self, "ridge", "head_items", "neighbours", "kept")
        _not_negative(self, "dropout", "user_exponent", "novelty", "likings", "stars", "dual_users")


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
    als: AlsConfig = field(default_factory=AlsConfig)
    ranking: RankingConfig = field(default_factory=RankingConfig)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise RecommenderConfigError(f"method is '{self.method}', and may be {', '.join(get_args(Method))}")
        _at_least_one(self, "factors", "chains", "sweeps", "thinning", "rank", "fewest_sweeps")
        if not 0 <= self.burn_in < self.sweeps:
            raise RecommenderConfigError(f"burn_in is {self.burn_in}, and must be below sweeps, {self.sweeps}")


def _at_least_one(knobs: object, *names: str) -> None:
    _refuse(knobs, names, lambda value: value >= 1, "at least 1")


def _above_zero(knobs: object, *names: str) -> None:
    _refuse(knobs, names, lambda value: value > 0, "above 0")


def _not_negative(knobs: object, *names: str) -> None:
    _refuse(knobs, names, lambda value: value >= 0, "0 or more")


def _refuse(knobs: object, names: tuple[str, ...], fits: Callable[[float], bool], wanted: str) -> None:
    for name in names:
        if not fits(getattr(knobs, name)):
            raise RecommenderConfigError(f"{name} is {getattr(knobs, name)}, and must be {wanted}")
