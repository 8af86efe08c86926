import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.statistics import NothingToCompareError, ks_statistic, ks_test, relative_difference

counts = st.lists(st.integers(0, 60), min_size=10, max_size=10).filter(any).map(tuple)
scales = st.sampled_from([1, 7, 40, 900])


@settings(max_examples=60, deadline=None)
@example((0,) * 9 + (1,), (1,) + (0,) * 9, 1, 1)  # nothing in common
@example((1,) * 10, (2,) * 10, 1_001, 1)  # the same shape, above and below the limit
@example((5_000, *[0] * 8, 5_000), (4_000, *[0] * 8, 6_000), 1, 1)  # exactly 10,000: still the exact count
@example((5_000, *[0] * 8, 5_001), (4_000, *[0] * 8, 6_000), 1, 1)  # one more: the limit law
@given(counts, counts, scales, scales)
def test_the_ks_test_equals_scipy_s_on_the_ratings_themselves(
    first: tuple[int, ...], second: tuple[int, ...], first_scale: int, second_scale: int
) -> None:
    baseline = RatingHistogram(tuple(count * first_scale for count in first))
    new = RatingHistogram(tuple(count * second_scale for count in second))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns where its path count overflows
        expected = stats.ks_2samp(baseline.ratings(), new.ratings())
    found = ks_test(baseline, new)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.statistic == pytest.approx(ks_statistic(baseline, new), abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-6)


def test_the_ks_test_equals_scipy_s_at_700k_against_43k_ratings() -> None:
    shares = np.array([1, 3, 2, 7, 5, 20, 13, 27, 9, 13]) / 100
    random = np.random.default_rng(4)
    for shift in (0.0, 0.004, 0.007, 0.01, 0.015, 0.08):  # from a p-value near 1 to one near 0
        moved = shares - shift * np.eye(10)[7] + shift * np.eye(10)[8]
        baseline = RatingHistogram(tuple(random.multinomial(700_000, shares).tolist()))
        new = RatingHistogram(tuple(random.multinomial(43_000, moved).tolist()))
        expected = stats.ks_2samp(baseline.ratings(), new.ratings())
        found = ks_test(baseline, new)
        assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-6)


def test_ks_of_two_known_histograms() -> None:
    half_low, all_high = RatingHistogram((1, *[0] * 8, 1)), RatingHistogram((*[0] * 9, 4))
    assert ks_statistic(half_low, all_high) == 0.5


def test_an_empty_side_is_named_in_the_error() -> None:
    full, empty = RatingHistogram((1,) * 10), RatingHistogram((0,) * 10)
    with pytest.raises(NothingToCompareError, match="batch holds no ratings"):
        ks_test(full, empty)
    with pytest.raises(NothingToCompareError, match="baseline holds no ratings"):
        ks_test(empty, full)


@pytest.mark.parametrize(
    ("baseline", "new", "expected"),
    [(4.0, 3.0, 0.25), (4.0, 5.0, 0.25), (4.0, float("nan"), None), (float("nan"), 4.0, None), (0.0, 1.0, None)],
)
def test_relative_difference_is_a_size_or_undefined(baseline: float, new: float, expected: float | None) -> None:
    assert relative_difference(baseline, new) == expected
