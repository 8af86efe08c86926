from dataclasses import fields

import numpy as np
import pytest

from cinematch_assets.recommender.config import AlsConfig, RecommenderConfigError
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.kernels.parallel import use_threads
from cinematch_assets.recommender.rating_prediction.als import AlsFactors, compress_ratings, fit_als, half_sweep
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic


def some_ratings(seed: int = 0, rows: int = 30_000) -> tuple[Ratings, Ratings]:
    """Training and test rows with a planted truth of rank 3 and noise of 0.3 stars."""
    rng = np.random.default_rng(seed)
    users, movies = 300, 200
    pairs = rng.choice(users * movies, rows, replace=False)
    u, m = pairs // movies, pairs % movies
    p, q = rng.normal(size=(users, 3)), rng.normal(size=(movies, 3)) * 0.4
    bias = rng.normal(size=users)[u] * 0.3 + rng.normal(size=movies)[m] * 0.4
    ratings = 3.5 + bias + (p[u] * q[m]).sum(axis=1) + 0.3 * rng.normal(size=rows)
    test = rng.random(rows) < 0.2
    return tuple(Ratings.of(u[part] * 7 + 3, m[part] * 5 + 1, ratings[part]) for part in (~test, test))


def rmse(model: AlsFactors, rows: Ratings) -> float:
    """Of rows whose users and movies are known."""
    u, m = np.searchsorted(model.users, rows.users), np.searchsorted(model.movies, rows.movies)
    predicted = model.mean + model.user_bias[u] + model.movie_bias[m]
    predicted += np.einsum("nf,nf->n", model.user_factors[u], model.movie_factors[m])
    return float(np.sqrt(np.mean((predicted - rows.ratings) ** 2)))


def test_a_planted_truth_is_found_down_to_its_noise() -> None:
    train, test = some_ratings()
    found = rmse(
        fit_als(train, AlsConfig(factors=8, ridge=1.0, ridge_per_rating=0.01, sweeps=15), np.random.default_rng(0)),
        test,
    )
    assert test.ratings.std() > 0.8
    assert found < 0.4


def test_a_half_sweep_with_many_steps_solves_the_ridge_regressions() -> None:
    train, _ = some_ratings(rows=4_000)
    config = AlsConfig(factors=16, steps=60, ridge=2.0, ridge_per_rating=0.1, bias_damping=3.0)
    by_user, _, users, movies = compress_ratings(train)
    rng = np.random.default_rng(1)
    factors = (rng.integers(-8, 8, (len(movies), 16)) / 8).astype(np.float32)  # exact in bfloat16
    bias = rng.normal(size=len(movies)).astype(np.float32)
    solved = np.zeros(len(users), np.float32), np.zeros((len(users), 16), np.float32)
    half_sweep(by_user, 3.5, (bias, factors), solved, config)
    for row in (0, 17, len(users) - 1):
        mine = slice(by_user.starts[row], by_user.starts[row + 1])
        q = np.column_stack([factors[by_user.columns[mine]], np.ones(mine.stop - mine.start)]).astype(np.float64)
        penalty = np.append(np.full(16, 2.0 + 0.1 * len(q)), 3.0)
        expected = np.linalg.solve(
            q.T @ q + np.diag(penalty), q.T @ (by_user.ratings[mine] - 3.5 - bias[by_user.columns[mine]])
        )
        assert np.allclose(np.append(solved[1][row], solved[0][row]), expected, atol=2e-4)


def test_both_orders_of_the_rows_hold_the_same_ratings() -> None:
    train, _ = some_ratings(rows=2_000)
    by_user, by_movie, users, movies = compress_ratings(train)
    rows = np.repeat(np.arange(len(movies)), np.diff(by_movie.starts))
    again = Ratings.of(users[by_movie.columns], movies[rows], by_movie.ratings)
    assert again.users.tolist() == train.users.tolist()
    assert again.movies.tolist() == train.movies.tolist()
    assert again.ratings.tolist() == train.ratings.tolist()
    assert by_user.columns.tolist() == np.searchsorted(movies, train.movies).tolist()


def test_held_out_ratings_are_trained_on_by_neither_side() -> None:
    train, _ = some_ratings(rows=4_000)
    config = AlsConfig(factors=16, ridge_per_rating=1e-9)
    holdout = np.arange(3, len(train), 11)
    others = train.where(~np.isin(np.arange(len(train)), holdout))
    found = []
    for rows, marked in ((train, holdout), (others, holdout[:0])):
        by_user, by_movie, users, movies = compress_ratings(rows, marked)
        user_side = np.zeros(len(users), np.float32), np.full((len(users), 16), 0.1, np.float32)
        movie_side = np.zeros(len(movies), np.float32), np.full((len(movies), 16), 0.1, np.float32)
        half_sweep(by_user, 3.5, movie_side, user_side, config)
        half_sweep(by_movie, 3.5, user_side, movie_side, config)
        found.append(np.concatenate([part.ravel() for part in (*user_side, *movie_side)]))
    assert len(found[0]) == len(found[1])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_holdout_errors_are_those_of_new_ratings_and_training_errors_are_smaller() -> None:
    train, test = some_ratings()
    model = fit_als(train, AlsConfig(factors=16, ridge=0.5, ridge_per_rating=0.01), np.random.default_rng(0))
    assert model.holdout
    held_out = float(np.sqrt(np.mean(model.holdout.errors**2)))
    trained = float(np.sqrt(model.holdout.user_squares.sum() / model.holdout.user_counts.sum()))
    assert held_out == pytest.approx(rmse(model, test), rel=0.1)
    assert trained < 0.9 * held_out


def test_every_rating_is_either_held_out_or_trained_on() -> None:
    train, _ = some_ratings()
    holdout = fit_als(train, AlsConfig(factors=2, sweeps=2), np.random.default_rng(0)).holdout
    assert holdout
    assert len(holdout.errors) == len(train) // 20
    users = holdout.user_counts + np.bincount(holdout.users, minlength=len(holdout.user_counts))
    movies = holdout.movie_counts + np.bincount(holdout.movies, minlength=len(holdout.movie_counts))
    assert users.tolist() == np.unique(train.users, return_counts=True)[1].tolist()
    assert movies.tolist() == np.unique(train.movies, return_counts=True)[1].tolist()


@pytest.mark.parametrize("movies", [[-5, 7, 9], [1, 2_000_000_000, 5]], ids=["negative", "far apart"])
def test_ids_need_not_be_small_or_dense(movies: list[int]) -> None:
    train = Ratings.of(np.array([1, 1, 2]), np.array(movies), np.array([4.0, 3.0, 5.0]))
    model = fit_als(train, AlsConfig(factors=2, sweeps=2), np.random.default_rng(0))
    assert model.movies.tolist() == sorted(movies)


def test_rows_in_any_order_on_any_number_of_threads_give_the_same_bytes() -> None:
    train, _ = some_ratings()
    found = []
    for threads in (1, 2, 5):
        order = np.random.default_rng(threads).permutation(len(train))
        shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
        with use_threads(threads):
            model = fit_als(shuffled, AlsConfig(sweeps=3), np.random.default_rng(7))
        assert model.holdout
        parts = [getattr(part, field.name) for part in (model, model.holdout) for field in fields(part)]
        found.append([np.asarray(part).tobytes() for part in parts if part is not model.holdout])
    assert found[0] == found[1] == found[2]


def test_another_seed_gives_another_model_that_is_as_good() -> None:
    train, test = some_ratings()
    config = AlsConfig(factors=8, ridge=1.0, ridge_per_rating=0.01)
    one, other = fit_als(train, config, np.random.default_rng(0)), fit_als(train, config, np.random.default_rng(1))
    assert one.user_factors.tobytes() != other.user_factors.tobytes()
    assert rmse(one, test) == pytest.approx(rmse(other, test), abs=0.02)


def test_the_number_of_factors_need_not_be_a_multiple_of_the_vector_width() -> None:
    model = fit_als(some_ratings()[0], AlsConfig(factors=5, sweeps=2), np.random.default_rng(0))
    assert model.user_factors.shape[1] == model.movie_factors.shape[1] == 5


def test_progress_goes_from_start_to_end() -> None:
    reported: list[tuple[str, float]] = []
    train, _ = some_ratings(rows=2_000)
    fit_als(
        train,
        AlsConfig(factors=2, sweeps=4),
        np.random.default_rng(0),
        lambda phase, share: reported.append((phase, share)),
    )
    assert reported == [("ratings", 0.0), ("ratings", 0.25), ("ratings", 0.5), ("ratings", 0.75), ("ratings", 1.0)]


@pytest.mark.parametrize(
    ("field", "value"), [("factors", 0), ("ridge", 0.0), ("steps", -1), ("bias_damping", float("nan"))]
)
def test_a_hyperparameter_out_of_range_is_named(field: str, value: float) -> None:
    with pytest.raises(RecommenderConfigError, match=field):
        AlsConfig(**{field: value})


def test_faint_factors_explain_a_quarter_of_what_biases_leave() -> None:
    frame, _, truth = make_synthetic(SyntheticSpec.of_size(300_000))
    rows = Ratings.from_frame(frame)
    holdout = np.random.default_rng(1).random(len(rows)) < 0.2
    model = fit_als(rows.where(~holdout), AlsConfig(), np.random.default_rng(0))
    flat = fit_als(rows.where(~holdout), AlsConfig(factors=1, ridge=1e9), np.random.default_rng(0))
    floor, ours, biases = truth.noise_floor_rmse, rmse(model, rows.where(holdout)), rmse(flat, rows.where(holdout))
    assert ours - floor < 0.75 * (biases - floor)
