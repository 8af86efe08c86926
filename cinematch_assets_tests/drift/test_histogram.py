import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinematch_assets.drift.histogram import NotAHistogramError, RatingHistogram


def test_mean_and_standard_deviation_of_four_ratings() -> None:
    histogram = RatingHistogram.from_counts({4.0: 2, 5.0: 1, 3.0: 1})
    assert histogram.count == 4
    assert histogram.mean == 4.0
    assert histogram.std == pytest.approx(math.sqrt(2 / 3))


@given(st.lists(st.integers(1, 10), min_size=2, max_size=300))
def test_mean_and_standard_deviation_are_those_of_pandas(half_stars: list[int]) -> None:
    ratings = pd.Series(half_stars) / 2
    histogram = RatingHistogram.from_ratings(ratings.to_numpy())
    assert histogram.mean == pytest.approx(ratings.mean(), abs=1e-12)
    assert histogram.std == pytest.approx(ratings.std(), abs=1e-12)
    assert histogram.ratings().tolist() == sorted(ratings)


def test_ratings_in_single_precision_are_counted() -> None:
    assert RatingHistogram.from_ratings(np.array([3.5, 0.5], dtype=np.float32)).counts[6] == 1


def test_one_rating_has_no_standard_deviation_and_no_rating_has_no_mean() -> None:
    assert math.isnan(RatingHistogram((1, *[0] * 9)).std)
    assert math.isnan(RatingHistogram((0,) * 10).mean)


@pytest.mark.parametrize("rating", [0.0, 0.4, 5.5, 3.25])
def test_a_value_that_is_no_rating_is_refused(rating: float) -> None:
    with pytest.raises(NotAHistogramError, match=str(rating)):
        RatingHistogram.from_counts({rating: 3})


@pytest.mark.parametrize("counts", [(1,) * 9, (-1, *[1] * 9)])
def test_anything_but_ten_counts_of_at_least_zero_is_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(NotAHistogramError, match="ten counts"):
        RatingHistogram(counts)
