import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from cinematch_assets.drift.alerts import drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.null_distribution import (
    NullDistribution,
    UserErrors,
    model_null_distribution,
    rating_null_distribution,
)
from cinematch_assets.drift.statistics import NothingToCompareError
from cinematch_assets_tests.support.populations import (
    draw_few_ratings_each,
    draw_whole_users,
    make_population,
    move_to_ks_distance,
    raise_half,
)
from cinematch_assets_tests.support.real_data import find_data

Counts = NDArray[np.int64]
Draw = Callable[[Counts, int, np.random.Generator], Counts]


def histogram(users: Counts) -> RatingHistogram:
    return RatingHistogram(tuple(users.sum(axis=0).tolist()))


def found_drifted(population: Counts, batch: Counts, *, resamples: int = 400) -> bool:
    """Whether any alert is over its threshold and also above its bound without drift."""
    null = rating_null_distribution(population, batch.sum(axis=1), resamples=resamples)
    alerts = drift_alerts(histogram(population), histogram(batch))
    return any(alert.alert_triggered and alert.drift_score > null.upper_bounds[alert.feature_name] for alert in alerts)


def share_found(population: Counts, batches: list[Counts]) -> float:
    return float(np.mean([found_drifted(population, batch) for batch in batches]))


def null_batches(population: Counts, rows: int, number: int, draw: Draw = draw_whole_users) -> list[Counts]:
    random = np.random.default_rng(17)
    return [draw(population, rows, random) for _ in range(number)]


@pytest.fixture(scope="module")
def population() -> Counts:
    return make_population(600)


@pytest.mark.parametrize("draw", [draw_whole_users, draw_few_ratings_each])
@pytest.mark.parametrize(("rows", "number"), [(43_000, 40), (2_000, 200)])
def test_batches_without_drift_are_rarely_found(population: Counts, rows: int, number: int, draw: Draw) -> None:
    assert share_found(population, null_batches(population, rows, number, draw)) <= 0.05


def test_thresholds_alone_would_find_drift_where_there_is_none(population: Counts) -> None:
    # Why the null distribution is needed: 2,000 ratings of forty active users pass a threshold every other week.
    batches = null_batches(population, 2_000, 100)
    alerts = [drift_alerts(histogram(population), histogram(batch)) for batch in batches]
    assert np.mean([any(alert.alert_triggered for alert in each) for each in alerts]) > 0.3


def test_half_of_the_ratings_raised_by_half_a_star_are_found(population: Counts) -> None:
    random = np.random.default_rng(5)
    batches = [raise_half(batch, random) for batch in null_batches(population, 43_000, 40)]
    assert share_found(population, batches) >= 0.95


def test_a_ks_distance_of_eight_hundredths_is_found(population: Counts) -> None:
    batches = [move_to_ks_distance(population, batch, 0.08) for batch in null_batches(population, 43_000, 40)]
    for batch in batches:
        score = drift_alerts(histogram(population), histogram(batch))[2].drift_score
        assert score == pytest.approx(0.08, abs=0.003)
    assert share_found(population, batches) >= 0.95


def read_movielens() -> Counts:
    """The users of ML-latest-small, ten counts each."""
    ratings = pd.read_csv(find_data("ml-latest-small") / "ratings.csv")
    return pd.crosstab(ratings["userId"], ratings["rating"]).to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("source", ["6,000 users, 700,000 ratings", "ML-latest-small"])
def test_false_alarms_and_power_on_full_populations(source: str) -> None:
    population = read_movielens() if source == "ML-latest-small" else make_population(6_000)
    random = np.random.default_rng(5)
    for draw in (draw_whole_users, draw_few_ratings_each):
        for rows in (43_000, 2_000):
            assert share_found(population, null_batches(population, rows, 200, draw)) <= 0.05
        batches = null_batches(population, 43_000, 200, draw)
        assert share_found(population, [raise_half(batch, random) for batch in batches]) >= 0.95
        assert share_found(population, [move_to_ks_distance(population, batch, 0.08) for batch in batches]) >= 0.95


def test_few_users_have_higher_bounds_than_many_with_the_same_ratings(population: Counts) -> None:
    few = rating_null_distribution(population, np.full(40, 50))
    many = rating_null_distribution(population, np.full(2_000, 1))
    assert few.upper_bounds["rating_distribution_ks"] > 2 * many.upper_bounds["rating_distribution_ks"]
    assert (few.batch_users, few.batch_rows) == (40, 2_000)


def test_where_all_users_rate_alike_the_bound_follows_from_the_number_of_rows() -> None:
    # Binomial: half of the ratings are 3.0, half 4.0, so KS is |share - 1/2| with deviation 0.5 / sqrt(rows).
    alike = np.tile([0, 0, 0, 0, 0, 5_000, 0, 5_000, 0, 0], (50, 1))
    bound = rating_null_distribution(alike, np.full(100, 25), resamples=4_000).upper_bounds["rating_distribution_ks"]
    assert bound == pytest.approx(2.576 * 0.5 / np.sqrt(2_500), rel=0.06)


def test_where_each_user_has_one_rating_value_the_bound_follows_from_the_number_of_users() -> None:
    # Each user always rates 3.0 or always 4.0: forty users are forty coins, however often they rate.
    constant = np.zeros((200, 10), dtype=np.int64)
    constant[:100, 5] = constant[100:, 7] = 100
    bound = rating_null_distribution(constant, np.full(40, 100), resamples=4_000).upper_bounds["rating_distribution_ks"]
    assert bound == pytest.approx(2.576 * 0.5 / np.sqrt(40), rel=0.08)


def test_equal_inputs_give_equal_bounds(population: Counts) -> None:
    assert rating_null_distribution(population, np.full(50, 40)) == rating_null_distribution(
        population, np.full(50, 40)
    )


def test_five_hundred_resamples_take_a_fraction_of_a_second() -> None:
    population = make_population(6_000)
    rating_null_distribution(population, np.full(300, 140), resamples=10)
    start = time.process_time()
    rating_null_distribution(population, np.full(300, 140), resamples=500)
    assert time.process_time() - start < 0.5


def test_a_baseline_of_one_rating_value_has_no_bound_for_the_standard_deviation() -> None:
    one_value = np.tile([0, 0, 0, 0, 0, 0, 0, 9, 0, 0], (5, 1))
    assert set(rating_null_distribution(one_value, np.array([3])).upper_bounds) == {
        "rating_mean",
        "rating_distribution_ks",
    }


def test_baseline_users_without_ratings_change_nothing(population: Counts) -> None:
    idle = np.vstack([population, np.zeros((5, 10), dtype=np.int64)])
    with_idle, without = (rating_null_distribution(rows, np.full(50, 40)) for rows in (idle, population))
    # Rounding of a matrix product depends on its shape. One variance of the singular covariance is such a rounding
    # error, some 1e-17, and its root is a standard deviation of some 1e-9.
    assert with_idle.upper_bounds == pytest.approx(without.upper_bounds, rel=1e-6)


def test_a_baseline_without_ratings_is_refused() -> None:
    with pytest.raises(NothingToCompareError, match="ratings in both"):
        rating_null_distribution(np.zeros((3, 10), dtype=np.int64), np.array([3]))


def make_errors(users: int, random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A champion's errors: some users are harder than others, all of their ratings together."""
    rows = np.maximum(5, random.lognormal(3, 1, users)).astype(np.int64)
    user = np.repeat(np.arange(users), rows)
    return user, random.normal(0, np.repeat(random.uniform(0.5, 1.3, users), rows))


def test_a_batch_of_users_who_are_hard_to_predict_is_no_drift() -> None:
    random = np.random.default_rng(2)
    test_users, test_errors = make_errors(800, random)
    test = UserErrors.from_errors(test_users, test_errors)
    over = {"model_rmse": 0, "model_mae": 0}
    for _ in range(200):
        users, errors = make_errors(40, random)
        bounds = model_null_distribution(test, np.unique(users, return_counts=True)[1], resamples=400).upper_bounds
        rmse = np.sqrt(np.mean(errors**2)) / np.sqrt(np.mean(test_errors**2)) - 1
        mae = np.mean(np.abs(errors)) / np.mean(np.abs(test_errors)) - 1
        over["model_rmse"] += rmse > bounds["model_rmse"]
        over["model_mae"] += mae > bounds["model_mae"]
    assert max(over.values()) <= 8  # 2 expected of 200
    assert bounds["model_rmse"] < 0.25  # a champion whose errors grow by a quarter is found


def test_errors_are_summed_by_user_in_any_order() -> None:
    errors = UserErrors.from_errors(np.array([9, 4, 9]), np.array([1.0, -3.0, -2.0]))
    assert errors.rows.tolist() == [1, 2]
    assert errors.absolute.tolist() == [3.0, 3.0]
    assert errors.squared.tolist() == [9.0, 5.0]
    assert errors.fourth.tolist() == [81.0, 17.0]


def test_bounds_of_ratings_and_of_the_model_are_joined() -> None:
    ratings = NullDistribution({"rating_mean": 0.1}, 99.0, 10, 2, 5)
    model = NullDistribution({"model_rmse": 0.2}, 99.0, 10, 2, 5)
    assert (ratings | model).as_metadata()["bounds"] == {"rating_mean": 0.1, "model_rmse": 0.2}
