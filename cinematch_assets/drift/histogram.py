"""Ratings as ten counts: all that the drift statistics need, whatever the number of rows.

Here: the histogram and its moments.
Not here: the SQL that counts (``warehouse``), comparing two of them (``statistics``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError

STARS: NDArray[np.float64] = np.arange(1, 11) / 2  # 0.5, 1.0 … 5.0


class NotAHistogramError(CinematchError):
    """Counts were given for something that is not a rating of half stars, or are negative."""


@dataclass(frozen=True, slots=True)
class RatingHistogram:
    """How many ratings there are of each value: position k counts (k + 1) half stars."""

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(STARS) or min(self.counts) < 0:
            raise NotAHistogramError(f"a rating histogram is ten counts of at least 0, not {list(self.counts)}")

    @classmethod
    def from_counts(cls, counts: Mapping[float, int]) -> "RatingHistogram":
        """From the pairs ``(rating, count)`` of one ``GROUP BY rating``; values that do not occur may be missing."""
        bins = [0] * len(STARS)
        for rating, count in counts.items():
            half_stars = round(float(rating) * 2)
            if half_stars != float(rating) * 2 or not 1 <= half_stars <= len(bins):
                raise NotAHistogramError(
                    f"{rating} is not a rating of 0.5 to 5.0 in half stars, and {count} rows have it"
                )
            bins[half_stars - 1] += int(count)
        return cls(tuple(bins))

    @classmethod
    def from_ratings(cls, ratings: NDArray[np.floating]) -> "RatingHistogram":
        """From the ratings themselves, in any order."""
        values, counts = np.unique(ratings, return_counts=True)
        return cls.from_counts(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    @property
    def count(self) -> int:
        """Number of ratings."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Arithmetic mean in stars; NaN of no ratings."""
        return float(STARS @ self.as_array() / self.count) if self.count else float("nan")

    @property
    def std(self) -> float:
        """Sample standard deviation in stars (n - 1, as ``STDDEV`` and pandas have it); NaN below two ratings."""
        if self.count < 2:
            return float("nan")
        deviations = (STARS - self.mean) ** 2
        return float(np.sqrt(deviations @ self.as_array() / (self.count - 1)))

    def as_array(self) -> NDArray[np.int64]:
        """The ten counts, from 0.5 to 5.0 stars."""
        return np.asarray(self.counts, dtype=np.int64)

    def ratings(self) -> NDArray[np.float64]:
        """Every rating again, sorted."""
        return np.repeat(STARS, self.as_array())
