"""Every knob of the recommender, with its default and the reason for it.

Here: plain numbers. Not here: what they do to a model (``bayes``, ``als``, ``ranking``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cinematch_assets.errors import CinematchError


class RecommenderConfigError(CinematchError):
    """A knob is outside what the methods can do; the message names it."""


@dataclass(frozen=True, slots=True)
class RecommenderConfig:
    """How to fit; the defaults were chosen on a validation part of the training rows (docs/decisions)."""

    method: Literal["auto", "biases"] = "auto"

    def __post_init__(self) -> None:
        if self.method not in {"auto", "biases"}:
            raise RecommenderConfigError(f"method is '{self.method}', and may be auto or biases")
