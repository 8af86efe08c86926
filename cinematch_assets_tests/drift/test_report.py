import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.drift.report import (
    COUNT_CLASSES,
    MAX_ROWS,
    TITLE,
    BaselineCounts,
    ReportRefusedError,
    drift_html,
    report_columns,
)
from cinematch_assets.drift.statistics import NothingToCompareError

MOVIES = pd.DataFrame({"movieId": [1, 2, 3], "genres": ["Comedy|Drama", None, "(no genres listed)"]})


def make_ratings(rows: int, *, raised: float = 0.0, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    ratings = np.minimum(5.0, random.integers(1, 11, rows) / 2 + raised)
    return pd.DataFrame(
        {"userId": random.integers(1, 50, rows), "movieId": random.integers(1, 4, rows), "rating": ratings}
    )


def test_each_rating_has_one_of_its_movie_s_genres_by_equal_chances() -> None:
    ratings = make_ratings(3_000)
    columns = report_columns(ratings, MOVIES, BaselineCounts.of(ratings))
    shares = columns["genre"].value_counts(normalize=True)
    assert set(shares.index) == {"Comedy", "Drama", "(none)", "(no genres listed)"}
    assert shares["Comedy"] == pytest.approx(1 / 6, abs=0.03)


def test_a_genre_cannot_close_the_script_that_the_page_puts_it_into() -> None:
    hostile = pd.DataFrame({"movieId": [1], "genres": ["</script><script>alert(1)</script>"]})
    ratings = pd.DataFrame({"userId": [1], "movieId": [1], "rating": [4.0]})
    drawn = report_columns(ratings, hostile, BaselineCounts.of(ratings))
    (genre,) = drawn["genre"]
    assert "script" in genre
    assert "<" not in genre


def test_activity_and_popularity_are_counted_in_the_baseline() -> None:
    baseline = pd.DataFrame({"userId": [1] * 12 + [2], "movieId": [1] * 13, "rating": 3.0})
    batch = pd.DataFrame({"userId": [1, 2, 3], "movieId": [1, 1, 2], "rating": 4.0})
    columns = report_columns(batch, MOVIES, BaselineCounts.of(baseline))
    found = dict(zip(columns["user_activity"], columns["item_popularity"], strict=True))
    assert found == {"10 to 29": "10 to 29", "1 to 9": "10 to 29", "0 (new)": "0 (new)"}
    assert set(found) < set(COUNT_CLASSES)


def test_a_bounded_number_of_rows_is_drawn_the_same_each_time() -> None:
    ratings = make_ratings(MAX_ROWS + 5)
    counts = BaselineCounts.of(ratings)
    first = report_columns(ratings, MOVIES, counts)
    assert len(first) == MAX_ROWS
    pd.testing.assert_frame_equal(first, report_columns(ratings, MOVIES, counts))


def test_the_page_charts_all_four_columns_and_loads_nothing_from_elsewhere() -> None:
    baseline = make_ratings(4_000)
    page = drift_html(
        baseline, make_ratings(1_000, raised=0.5, seed=2), MOVIES, batch_id="batch_w3", assessment="due"
    ).decode()
    for column in ("rating", "genre", "user_activity", "item_popularity"):
        assert f"Drift in column '{column}'" in page or f"Drift in column \\'{column}\\'" in page
    assert "<!DOCTYPE html>" in page[:200]
    for elsewhere in ('src="http', "src='http", '<link href="http', "url(http"):
        assert elsewhere not in page


def test_a_single_rating_is_enough_for_a_page() -> None:
    baseline = make_ratings(500)
    counts = BaselineCounts.of(baseline)
    page = drift_html(baseline, make_ratings(1), MOVIES, batch_id="tiny", assessment="too few", counts=counts)
    assert b"<!DOCTYPE html>" in page[:200]


def test_the_assessment_comes_first_then_the_ratings_and_nothing_in_it_is_markup() -> None:
    baseline = make_ratings(500)
    assessment = "rating_mean over 0.10\n</script><b>[x](y)"
    page = drift_html(baseline, make_ratings(50), MOVIES, batch_id="w1", assessment=assessment).decode()
    places = [
        page.index(text) for text in (TITLE, "in column 'rating'", "in column 'genre'", "in column 'user_activity'")
    ]
    assert places == sorted(places)
    assert "They decide nothing" in page
    assert "</script><b>" not in page
    assert "[x](y)" not in page


def test_a_missing_column_is_named() -> None:
    ratings = make_ratings(5)
    with pytest.raises(ReportRefusedError, match="the ratings for the drift report have no column 'rating'"):
        report_columns(ratings.drop(columns="rating"), MOVIES, BaselineCounts.of(ratings))


def test_a_side_without_ratings_is_refused() -> None:
    ratings = make_ratings(5)
    with pytest.raises(NothingToCompareError, match="one side has none"):
        report_columns(ratings.head(0), MOVIES, BaselineCounts.of(ratings))


@pytest.mark.parametrize("module", ["alerts", "null_distribution", "report"])
def test_importing_drift_imports_neither_evidently_nor_scipy_s_statistics(module: str) -> None:
    script = f"import sys, cinematch_assets.drift.{module}; print({{'evidently', 'scipy.stats'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
