"""Ratings as ten counts, from which all drift statistics follow.

Here: the histogram and its moments. Not here: the SQL that counts (``warehouse.drift_alerts``), comparing two of them
(``drift.statistics``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError

RATING_VALUES: NDArray[np.float64] = np.arange(1, 11) / 2  # 0.5, 1.0 … 5.0


class NotAHistogramError(CinematchError):
    """A count is negative, or of a value that is not a rating in half stars."""


@dataclass(frozen=True, slots=True)
class RatingHistogram:
    """The number of ratings of each value: ``counts[k]`` of (k + 1) half stars."""

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(RATING_VALUES) or min(self.counts) < 0:
            raise NotAHistogramError(f"a rating histogram is ten counts of at least 0, not {list(self.counts)}")

    @classmethod
    def from_counts(cls, counts: Mapping[float, int]) -> "RatingHistogram":
        """From rating → count, as of one ``GROUP BY rating``; values that do not occur may be missing."""
        bins = [0] * len(RATING_VALUES)
        for rating, count in counts.items():
            half_stars = round(float(rating) * 2)
            if half_stars != float(rating) * 2 or not 1 <= half_stars <= len(bins):
                raise NotAHistogramError(
                    f"{rating} is not a rating of 0.5 to 5.0 in half stars, and it occurs {count:,} times"
                )
            bins[half_stars - 1] += int(count)
        return cls(tuple(bins))

    @classmethod
    def from_ratings(cls, ratings: NDArray[np.floating]) -> "RatingHistogram":
        """From ratings (n,) in any order."""
        values, counts = np.unique(ratings, return_counts=True)
        return cls.from_counts(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    @property
    def count(self) -> int:
        """Number of ratings."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Arithmetic mean in stars; NaN without ratings."""
        return float(RATING_VALUES @ self.as_array() / self.count) if self.count else float("nan")

    @property
    def std(self) -> float:
        """Sample standard deviation in stars (over n - 1, as ``STDDEV`` and pandas); NaN below two ratings."""
        if self.count < 2:
            return float("nan")
        deviations = (RATING_VALUES - self.mean) ** 2
        return float(np.sqrt(deviations @ self.as_array() / (self.count - 1)))

    def as_array(self) -> NDArray[np.int64]:
        """The ten counts, from 0.5 to 5.0 stars."""
        return np.asarray(self.counts, dtype=np.int64)

    def ratings(self) -> NDArray[np.float64]:
        """The single ratings, (count,), ascending."""
        return np.repeat(RATING_VALUES, self.as_array())
