from dataclasses import fields

import numpy as np
import pytest

from cinematch_assets.recommender.config import AlsConfig, RecommenderConfigError
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.kernels import topn
from cinematch_assets.recommender.rating_prediction.als import Als, compressed, fit_als, half_sweep
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic


def some_ratings(seed: int = 0, rows: int = 30_000) -> tuple[Ratings, Ratings]:
    """Training and test rows with a planted truth of rank 3 and noise of 0.3 stars."""
    rng = np.random.default_rng(seed)
    users, movies = 300, 200
    pairs = rng.choice(users * movies, rows, replace=False)
    u, m = pairs // movies, pairs % movies
    p, q = rng.normal(size=(users, 3)), rng.normal(size=(movies, 3)) * 0.4
    bias = rng.normal(size=users)[u] * 0.3 + rng.normal(size=movies)[m] * 0.4
    stars = 3.5 + bias + (p[u] * q[m]).sum(axis=1) + 0.3 * rng.normal(size=rows)
    test = rng.random(rows) < 0.2
    return tuple(Ratings.of(u[part] * 7 + 3, m[part] * 5 + 1, stars[part]) for part in (~test, test))


def rmse(model: Als, rows: Ratings) -> float:
    """Of rows whose users and movies are known."""
    u, m = np.searchsorted(model.users, rows.users), np.searchsorted(model.movies, rows.movies)
    stars = model.mean + model.user_bias[u] + model.movie_bias[m]
    stars += np.einsum("nf,nf->n", model.user_factors[u], model.movie_factors[m])
    return float(np.sqrt(np.mean((stars - rows.ratings) ** 2)))


def test_a_planted_truth_is_found_down_to_its_noise() -> None:
    train, test = some_ratings()
    spread = float(test.ratings.std())
    found = rmse(fit_als(train, AlsConfig(factors=8, ridge=1.0, ridge_per_rating=0.01, sweeps=15), 0), test)
    assert spread > 0.8
    assert found < 0.4


def test_a_half_sweep_with_many_steps_solves_the_ridge_regressions() -> None:
    train, _ = some_ratings(rows=4_000)
    config = AlsConfig(factors=16, steps=60, ridge=2.0, ridge_per_rating=0.1, bias_damping=3.0)
    by_user, _, users, movies = compressed(train)
    rng = np.random.default_rng(1)
    factors = (rng.integers(-8, 8, (len(movies), 16)) / 8).astype(np.float32)  # exact in bfloat16
    bias = rng.normal(size=len(movies)).astype(np.float32)
    solved = np.zeros(len(users), np.float32), np.zeros((len(users), 16), np.float32)
    half_sweep(by_user, 3.5, (bias, factors), solved, config)
    for row in (0, 17, len(users) - 1):
        mine = slice(by_user.starts[row], by_user.starts[row + 1])
        q = np.column_stack([factors[by_user.others[mine]], np.ones(mine.stop - mine.start)]).astype(np.float64)
        penalty = np.append(np.full(16, 2.0 + 0.1 * len(q)), 3.0)
        expected = np.linalg.solve(
            q.T @ q + np.diag(penalty), q.T @ (by_user.stars[mine] - 3.5 - bias[by_user.others[mine]])
        )
        assert np.allclose(np.append(solved[1][row], solved[0][row]), expected, atol=2e-4)


def test_both_orders_of_the_rows_hold_the_same_ratings() -> None:
    train, _ = some_ratings(rows=2_000)
    by_user, by_movie, users, movies = compressed(train)
    rows = np.repeat(np.arange(len(movies)), np.diff(by_movie.starts))
    again = Ratings.of(users[by_movie.others], movies[rows], by_movie.stars)
    assert again.users.tolist() == train.users.tolist()
    assert again.movies.tolist() == train.movies.tolist()
    assert again.ratings.tolist() == train.ratings.tolist()
    assert by_user.others.tolist() == np.searchsorted(movies, train.movies).tolist()


def test_what_is_put_aside_is_not_learned_from_on_either_side() -> None:
    train, _ = some_ratings(rows=4_000)
    config = AlsConfig(factors=16, ridge_per_rating=1e-9)
    aside = np.arange(3, len(train), 11)
    kept = train.where(~np.isin(np.arange(len(train)), aside))
    found = []
    for rows, marked in ((train, aside), (kept, aside[:0])):
        by_user, by_movie, users, movies = compressed(rows, marked)
        user_side = np.zeros(len(users), np.float32), np.full((len(users), 16), 0.1, np.float32)
        movie_side = np.zeros(len(movies), np.float32), np.full((len(movies), 16), 0.1, np.float32)
        half_sweep(by_user, 3.5, movie_side, user_side, config)
        half_sweep(by_movie, 3.5, user_side, movie_side, config)
        found.append(np.concatenate([part.ravel() for part in (*user_side, *movie_side)]))
    assert len(found[0]) == len(found[1])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_errors_of_the_trial_are_those_of_rows_that_were_not_seen() -> None:
    train, test = some_ratings()
    model = fit_als(train, AlsConfig(factors=16, ridge=0.5, ridge_per_rating=0.01), 0)
    assert model.trial
    aside = float(np.sqrt(np.mean(model.trial.errors**2)))
    learned = float(np.sqrt(model.trial.user_squares.sum() / model.trial.user_counts.sum()))
    assert aside == pytest.approx(rmse(model, test), rel=0.1)
    assert learned < 0.9 * aside


def test_every_row_counts_once_in_the_trial() -> None:
    train, _ = some_ratings()
    trial = fit_als(train, AlsConfig(factors=2, sweeps=2), 0).trial
    assert trial
    assert len(trial.errors) == len(train) // 20
    users = trial.user_counts + np.bincount(trial.users, minlength=len(trial.user_counts))
    movies = trial.movie_counts + np.bincount(trial.movies, minlength=len(trial.movie_counts))
    assert users.tolist() == np.unique(train.users, return_counts=True)[1].tolist()
    assert movies.tolist() == np.unique(train.movies, return_counts=True)[1].tolist()


@pytest.mark.parametrize("movies", [[-5, 7, 9], [1, 2_000_000_000, 5]], ids=["negative", "far apart"])
def test_ids_need_not_be_small_or_dense(movies: list[int]) -> None:
    train = Ratings.of(np.array([1, 1, 2]), np.array(movies), np.array([4.0, 3.0, 5.0]))
    model = fit_als(train, AlsConfig(factors=2, sweeps=2), 0)
    assert model.movies.tolist() == sorted(movies)


def test_rows_in_any_order_on_any_number_of_threads_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    train, _ = some_ratings()
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(topn, "cores", lambda threads=threads: threads)
        order = np.random.default_rng(threads).permutation(len(train))
        shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
        model = fit_als(shuffled, AlsConfig(sweeps=3), 7)
        assert model.trial
        parts = [getattr(part, field.name) for part in (model, model.trial) for field in fields(part)]
        found.append([np.asarray(part).tobytes() for part in parts if part is not model.trial])
    assert found[0] == found[1] == found[2]


def test_another_seed_gives_another_model_that_is_as_good() -> None:
    train, test = some_ratings()
    config = AlsConfig(factors=8, ridge=1.0, ridge_per_rating=0.01)
    one, other = fit_als(train, config, 0), fit_als(train, config, 1)
    assert one.user_factors.tobytes() != other.user_factors.tobytes()
    assert rmse(one, test) == pytest.approx(rmse(other, test), abs=0.02)


def test_factors_that_fill_vector_registers_only_in_part_are_as_many_as_asked() -> None:
    model = fit_als(some_ratings()[0], AlsConfig(factors=5, sweeps=2), 0)
    assert model.user_factors.shape[1] == model.movie_factors.shape[1] == 5


def test_progress_is_told_from_start_to_end() -> None:
    heard: list[tuple[str, float]] = []
    train, _ = some_ratings(rows=2_000)
    fit_als(train, AlsConfig(factors=2, sweeps=4), 0, lambda what, share: heard.append((what, share)))
    assert heard == [("stars", 0.0), ("stars", 0.25), ("stars", 0.5), ("stars", 0.75), ("stars", 1.0)]


@pytest.mark.parametrize(
    ("knob", "value"), [("factors", 0), ("ridge", 0.0), ("steps", -1), ("bias_damping", float("nan"))]
)
def test_a_knob_out_of_range_is_named(knob: str, value: float) -> None:
    with pytest.raises(RecommenderConfigError, match=knob):
        AlsConfig(**{knob: value})


def test_of_what_biases_leave_a_quarter_is_found_where_factors_are_faint() -> None:
    frame, _, truth = make_synthetic(SyntheticSpec.of_size(300_000))
    rows = Ratings.from_frame(frame)
    held = np.random.default_rng(1).random(len(rows)) < 0.2
    model = fit_als(rows.where(~held), AlsConfig(), 0)
    flat = fit_als(rows.where(~held), AlsConfig(factors=1, ridge=1e9), 0)
    floor, ours, biases = truth.noise_floor_rmse, rmse(model, rows.where(held)), rmse(flat, rows.where(held))
    assert ours - floor < 0.75 * (biases - floor)
