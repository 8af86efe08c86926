import numpy as np
import pytest

from cinematch_assets.recommender.rating_prediction.als import Trial
from cinematch_assets.recommender.rating_prediction.uncertainty import fit_spread

USERS, MOVIES, ROWS = 400, 300, 40_000


def a_trial() -> tuple[Trial, np.ndarray]:
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
    return Trial(users, movies, errors, squares, user_counts, movie_counts), in_the_end


def test_a_planted_variance_is_found_and_its_interval_is_the_normal_one() -> None:
    trial, variance = a_trial()
    found = fit_spread(trial)
    ours = found.noise + found.users[trial.users] + found.movies[trial.movies]
    assert np.corrcoef(ours, variance)[0, 1] > 0.8
    assert ours.mean() == pytest.approx(variance.mean(), rel=0.02)
    assert found.half_width == pytest.approx(1.2816, abs=0.03)


def test_four_of_five_new_errors_are_inside_for_few_ratings_and_for_many() -> None:
    trial, variance = a_trial()
    found = fit_spread(trial)
    errors = np.sqrt(variance) * np.random.default_rng(9).standard_normal(ROWS)
    spread = np.sqrt(found.noise + found.users[trial.users] + found.movies[trial.movies])
    inside = np.abs(errors) <= found.half_width * spread
    few_of_user, few_of_movie = trial.user_counts[trial.users] < 15, trial.movie_counts[trial.movies] < 10
    for part in (inside, inside[few_of_user], inside[few_of_movie], inside[~few_of_user & ~few_of_movie]):
        assert 0.77 <= part.mean() <= 0.83


def test_rows_put_aside_count_in_the_end_as_they_were_learned_from() -> None:
    trial, _ = a_trial()
    found = fit_spread(trial)
    rare = int(np.argmin(trial.movie_counts))
    weight = found.movies[0] * (trial.movie_counts[0] + np.sum(trial.movies == 0) + 5.0)
    assert found.movies[rare] == pytest.approx(
        weight / (trial.movie_counts[rare] + np.sum(trial.movies == rare) + 5.0), rel=1e-5
    )


def test_a_variance_is_above_zero_for_everyone_even_where_errors_grow_with_ratings() -> None:
    trial, _ = a_trial()
    errors = trial.errors * np.where(trial.user_counts[trial.users] > 100, 3.0, 0.3).astype(np.float32)
    found = fit_spread(Trial(trial.users, trial.movies, errors, *(getattr(trial, name) for name in _COUNTS)))
    assert found.noise + found.users.min() + found.movies.min() > 0


def test_without_an_error_there_is_no_spread() -> None:
    trial, _ = a_trial()
    nothing = np.zeros_like(trial.errors)
    found = fit_spread(Trial(trial.users, trial.movies, nothing, 0 * trial.user_squares, *_counts(trial)))
    assert (found.noise, found.half_width) == (0.0, 0.0)
    assert not found.users.any()
    assert not found.movies.any()


_COUNTS = ("user_squares", "user_counts", "movie_counts")


def _counts(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    return trial.user_counts, trial.movie_counts
