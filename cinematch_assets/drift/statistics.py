"""How far a batch is from the baseline: two relative differences and Kolmogorov–Smirnov, all from ten counts each.

Here: the numbers. Not here: thresholds (``verdict``), what is usual without drift (``null_spread``).
"""

import warnings
from dataclasses import dataclass

import numpy as np

from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.errors import CinematchError

LARGEST_EXACT = 10_000
"""Up to this size of the larger sample ``scipy.stats.ks_2samp`` counts paths by default; beyond, it takes a limit."""


class NothingToCompareError(CinematchError):
    """One side has no ratings, so there is no distance between the two."""


@dataclass(frozen=True, slots=True)
class KsTest:
    """The two-sample Kolmogorov–Smirnov test: the largest distance of the distribution functions, and its p-value."""

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
    """What ``scipy.stats.ks_2samp`` says of the ratings behind the two histograms, to 1e-9.

    scipy asks for every rating and sorts them. Beyond 10,000 on either side it then takes the limit law, which needs
    the statistic and the two counts only. Below, it counts lattice paths; there the ratings are few enough to be
    written out again.

    Raises:
        NothingToCompareError: one of the histograms is empty.
    """
    statistic = ks_statistic(baseline, new)
    if max(baseline.count, new.count) <= LARGEST_EXACT:
        from scipy import stats  # noqa: PLC0415 - importing it costs more than everything else here

        with warnings.catch_warnings():
            # Where the path count overflows, scipy says so and falls back on the same limit law as beyond 10,000.
            warnings.filterwarnings("ignore", message="ks_2samp", category=RuntimeWarning)
            exact = stats.ks_2samp(baseline.ratings(), new.ratings())
        return KsTest(float(exact.statistic), float(exact.pvalue))
    effective_size = float(baseline.count) * float(new.count) / (baseline.count + new.count)
    return KsTest(statistic, _limit_p_value(statistic, int(np.round(effective_size))))


def _limit_p_value(statistic: float, n: int) -> float:
    """``scipy.stats.kstwo.sf(statistic, n)`` to 1e-9, without the 50 ms that it takes at a weekly batch's size.

    From n d² = 2.2 on, scipy's value is twice the one-sided probability, a sum of n terms. Its distribution function
    is Pelz and Good's series, and fast; the two differ by the probability of both sides exceeding d, for which the
    limit with Smirnov's shift of d by 1/(6n) is exact enough from 10,000 on. Beyond a million, scipy no longer sums.
    """
    from scipy import stats  # noqa: PLC0415

    if not 10_000 <= n <= 1_000_000 or n * statistic**2 < 2.2:
        p_value = stats.kstwo.sf(statistic, n)
    else:
        both_sides = 2 * np.exp(-8 * n * (statistic + 1 / (6 * n)) ** 2)
        p_value = 1 - stats.kstwo.cdf(statistic, n) + both_sides
    return float(np.clip(p_value, 0.0, 1.0))
