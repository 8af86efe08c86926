from dataclasses import replace

import numpy as np
import pytest

from cinematch_assets.recommender.rating_prediction.als import HoldoutResiduals
from cinematch_assets.recommender.rating_prediction.uncertainty import fit_uncertainty

USERS, MOVIES, ROWS = 400, 300, 40_000


def make_residuals() -> tuple[HoldoutResiduals, np.ndarray]:
    """Errors with a known variance that falls with ratings on both sides and differs by user; what it is in the end."""
    rng = np.random.default_rng(0)
    user_counts, movie_counts = rng.integers(2, 200, USERS), rng.integers(1, 100, MOVIES)
    own = rng.uniform(0.3, 0.9, USERS)
    users, movies = rng.integers(0, USERS, ROWS), rng.integers(0, MOVIES, ROWS).astype(np.int32)

    def variance(of_user: np.ndarray, of_movie: np.ndarray) -> np.ndarray:
        return own[users] + 2.5 / (of_user[users] + 5.0) + 2.5 / (of_movie[movies] + 5.0)

    errors = (np.sqrt(variance(user_counts, movie_counts)) * rng.standard_normal(ROWS)).astype(np.float32)
    in_the_end = variance(user_counts + np.bincount(users), movie_counts + np.bincount(movies))
    squares = own * rng.chisquare(user_counts)
    return HoldoutResiduals(users, movies, errors, squares, user_counts, movie_counts), in_the_end


def test_a_planted_variance_is_found_and_its_interval_is_that_of_a_normal_distribution() -> None:
    residuals, variance = make_residuals()
    found = fit_uncertainty(residuals)
    ours = found.noise + found.users[residuals.users] + found.movies[residuals.movies]
    assert np.corrcoef(ours, variance)[0, 1] > 0.8
    assert ours.mean() == pytest.approx(variance.mean(), rel=0.02)
    assert found.half_width == pytest.approx(1.2816, abs=0.03)


def test_four_of_five_new_errors_are_in_the_interval_with_few_ratings_and_with_many() -> None:
    residuals, variance = make_residuals()
    found = fit_uncertainty(residuals)
    errors = np.sqrt(variance) * np.random.default_rng(9).standard_normal(ROWS)
    std = np.sqrt(found.noise + found.users[residuals.users] + found.movies[residuals.movies])
    inside = np.abs(errors) <= found.half_width * std
    few_of_user, few_of_movie = (
        residuals.user_counts[residuals.users] < 15,
        residuals.movie_counts[residuals.movies] < 10,
    )
    for part in (inside, inside[few_of_user], inside[few_of_movie], inside[~few_of_user & ~few_of_movie]):
        assert 0.77 <= part.mean() <= 0.83


def test_held_out_ratings_count_in_the_variance_as_they_are_trained_on_in_the_end() -> None:
    residuals, _ = make_residuals()
    found = fit_uncertainty(residuals)
    rare = int(np.argmin(residuals.movie_counts))
    weight = found.movies[0] * (residuals.movie_counts[0] + np.sum(residuals.movies == 0) + 5.0)
    assert found.movies[rare] == pytest.approx(
        weight / (residuals.movie_counts[rare] + np.sum(residuals.movies == rare) + 5.0), rel=1e-5
    )


def test_the_variance_is_above_zero_even_where_errors_grow_with_ratings() -> None:
    residuals, _ = make_residuals()
    errors = residuals.errors * np.where(residuals.user_counts[residuals.users] > 100, 3.0, 0.3).astype(np.float32)
    found = fit_uncertainty(replace(residuals, errors=errors))
    assert found.noise + found.users.min() + found.movies.min() > 0


def test_without_errors_the_variance_is_unknown() -> None:
    residuals, _ = make_residuals()
    found = fit_uncertainty(
        replace(residuals, errors=np.zeros_like(residuals.errors), user_squares=np.zeros_like(residuals.user_squares))
    )
    assert (found.noise, found.half_width) == (0.0, 0.0)
    assert not found.users.any()
    assert not found.movies.any()
