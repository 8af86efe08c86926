"""Every knob of the ranker, with its default and the reason for it.

Here: plain numbers. Not here: what they do to lists (``ranker``), how two of them are tried out (``tuning``).
"""

from __future__ import annotations

from dataclasses import dataclass

from cinematch_assets.errors import CinematchError


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
    """Up to so many users the exact method of ``dual`` is taken: one matrix of users², at most 36 MB."""
    core_films: int = 6_000
    """Films of the exact inverse of ``sparse``: 144 MB and some seconds; it grows with the cube."""
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
