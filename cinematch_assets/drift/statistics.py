"""Distances of a batch from the baseline: relative difference and Kolmogorov-Smirnov, from ten counts each.

Here: the statistics. Not here: thresholds (``drift.alerts``), their values without drift (``drift.null_distribution``).
"""

import warnings
from dataclasses import dataclass

import numpy as np

from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.errors import CinematchError

MAX_EXACT_ROWS = 10_000
"""Up to this size of the larger sample ``scipy.stats.ks_2samp`` counts paths by default; beyond, it takes a limit."""


class NothingToCompareError(CinematchError):
    """One side has no ratings, so there is no distance between the two."""


@dataclass(frozen=True, slots=True)
class KsTest:
    """The two-sample Kolmogorov-Smirnov test: the largest distance of the distribution functions, and its p-value."""

    statistic: float
    p_value: float


def relative_difference(baseline: float, new: float) -> float | None:
    """``|new - baseline| / baseline``; None where it is not a number (an undefined side, or a baseline of 0)."""
    if not np.isfinite(baseline) or not np.isfinite(new) or baseline == 0:
        return None
    return abs(new - baseline) / abs(baseline)


def ks_statistic(baseline: RatingHistogram, new: RatingHistogram) -> float:
    """The largest distance between the two cumulative distributions, in 0 … 1.

    Raises:
        NothingToCompareError: one of the histograms is empty.
    """
    for name, histogram in (("baseline", baseline), ("batch", new)):
        if histogram.count == 0:
            raise NothingToCompareError(f"the {name} holds no ratings, so its distribution cannot be compared")
    differences = np.cumsum(baseline.as_array()) / baseline.count - np.cumsum(new.as_array()) / new.count
    return float(np.abs(differences).max())


def ks_test(baseline: RatingHistogram, new: RatingHistogram) -> KsTest:
    """The result of ``scipy.stats.ks_2samp`` on the ratings behind the two histograms.

    scipy needs every rating, and sorts them. Beyond 10,000 on either side it takes the limit law, which needs the
    statistic and the two counts only.

    Raises:
        NothingToCompareError: one of the histograms is empty.
    """
    from scipy import stats  # noqa: PLC0415 - importing it costs more than everything else here

    statistic = ks_statistic(baseline, new)
    if max(baseline.count, new.count) <= MAX_EXACT_ROWS:
        with warnings.catch_warnings():
            # Where the path count overflows, scipy warns and takes the same limit law as beyond 10,000.
            warnings.filterwarnings("ignore", message="ks_2samp", category=RuntimeWarning)
            exact = stats.ks_2samp(baseline.ratings(), new.ratings())
        return KsTest(float(exact.statistic), float(exact.pvalue))
    effective_size = round(baseline.count * new.count / (baseline.count + new.count))
    # The survival function sums as many terms, for up to seconds; it differs from 1 - cdf by less than 1e-7.
    return KsTest(statistic, max(0.0, 1.0 - float(stats.kstwo.cdf(statistic, effective_size))))
