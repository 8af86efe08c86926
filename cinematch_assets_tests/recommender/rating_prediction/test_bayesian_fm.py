import numpy as np
import pytest

from cinematch_assets.recommender.baselines import bias_only
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import evaluate
from cinematch_assets.recommender.kernels.parallel import use_threads
from cinematch_assets.recommender.rating_prediction.bayesian_fm import _average_product, fit_bayesian_fm, plan_sampling
from cinematch_assets.recommender.rating_prediction.gibbs import Sample
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.splits import random_split
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic
from cinematch_assets_tests.support.worlds import World, make_world, rmse

CONFIG = RecommenderConfig(factors=3, chains=2, sweeps=45, burn_in=15, thinning=2, rank=12)


def fit(world: World, train) -> RatingTable:
    return fit_bayesian_fm(train, world.catalogue, CONFIG, np.random.default_rng(1))


def test_the_mean_of_products_is_kept_not_the_product_of_means():
    # One factor, whose sign differs between two samples: its mean is zero, the mean of its products is not.
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 30)).astype(np.float32), rng.normal(size=(2, 40)).astype(np.float32)
    samples = [Sample(0.0, sign * p, sign * q, np.ones(30, np.float32), 1.28) for sign in (1, -1)]
    users, movies = _average_product(samples, 4, np.random.default_rng(1))
    np.testing.assert_allclose(users @ movies.T, p[1:].T @ q[1:], atol=1e-5)


def test_it_predicts_better_than_biases_and_nearly_as_well_as_the_truth():
    world = make_world(noise=0.5)
    split = world.split()
    table = fit(world, split.train)
    ours = rmse(table.predict(split.test.users, split.test.movies).ratings, split.test.ratings)
    theirs = evaluate(bias_only(split.train, world.catalogue), split.train, split.test, world.catalogue).rmse
    assert ours < 0.9 * theirs
    assert ours < 0.62


@pytest.mark.parametrize(("users", "movies", "rows"), [(22, 412, 3_000), (150, 250, 6_000)])
def test_on_few_ratings_it_is_no_worse_than_biases(users: int, movies: int, rows: int):
    # Three worlds, because one has few test rows.
    ours, theirs = [], []
    for seed in (0, 1, 2):
        frame, movie_ids, _ = make_synthetic(SyntheticSpec(users, movies, rows, seed=seed))
        split, catalogue = random_split(Ratings.from_frame(frame), 0.3, seed), Catalogue.from_frame(movie_ids)
        for model, errors in (
            (fit_bayesian_fm(split.train, catalogue, RecommenderConfig(), np.random.default_rng(seed)), ours),
            (bias_only(split.train, catalogue), theirs),
        ):
            errors.append(rmse(model.predict(split.test.users, split.test.movies).ratings, split.test.ratings))
    assert np.mean(ours) < 1.003 * np.mean(theirs)


def test_factors_shrink_to_zero_where_there_are_no_interactions():
    world = make_world(noise=0.5)
    rng = np.random.default_rng(5)
    rows = world.ratings
    ratings = 3.5 + rng.normal(0, 0.4, 121)[rows.users] + rng.normal(0, 0.7, len(rows))
    table = fit(world, Ratings.of(rows.users, rows.movies, ratings, rows.timestamps))
    found = table.user_factors[:-1] @ table.movie_factors[:-1].T
    interaction = found - found.mean(axis=0) - found.mean(axis=1, keepdims=True) + found.mean()
    # The noise is 0.7. What is left here was 0.12 to 0.16 in eight such worlds under a prior of size 1.
    assert interaction.std() < 0.08


def test_four_of_five_ratings_are_within_the_interval():
    world = make_world(users=200, movies=120, noise=0.7)
    split = world.split()
    found = fit(world, split.train).predict(split.test.users, split.test.movies)
    inside = np.mean(np.abs(found.ratings - split.test.ratings) <= found.half_width)
    assert 0.76 <= inside <= 0.84


def test_errors_are_larger_where_the_predicted_std_is():
    # Every second user is noisier; with equal noise and equally many ratings all standard deviations would be alike.
    world = make_world(users=200, movies=120, noise=0.3)
    rows = world.ratings
    extra = np.random.default_rng(2).normal(0, 0.8, len(rows)) * (rows.users % 2)
    split = random_split(Ratings.of(rows.users, rows.movies, rows.ratings + extra, rows.timestamps), 0.3, 1)
    found = fit(world, split.train).predict(split.test.users, split.test.movies)
    errors = np.abs(found.ratings - split.test.ratings)
    uncertain = found.std > np.median(found.std)
    assert errors[uncertain].mean() > 1.5 * errors[~uncertain].mean()


def test_more_rows_get_fewer_sweeps_but_never_too_few():
    config = RecommenderConfig()
    small, large, huge = (plan_sampling(rows, config) for rows in (70_000, 700_000, 100_000_000))
    assert (small.chains, small.sweeps) == (config.chains, config.sweeps)
    assert large.chains * large.sweeps < small.chains * small.sweeps
    assert (huge.chains, huge.sweeps) == (2, config.min_sweeps)
    assert huge.burn_in < huge.sweeps


def test_movies_without_ratings_are_not_sampled():
    # 5,000 more movies change no byte of what was sampled; they get rows by their genres, and predictions near them.
    world = make_world()
    more = np.arange(20_000, 25_000, dtype=np.int32)
    titles = [*world.catalogue.titles, *(f"Unseen {movie} (2001)" for movie in more)]
    genres = [*world.catalogue.genres, *["Action"] * len(more)]
    large = Catalogue.of(np.concatenate([world.catalogue.movies, more]), titles, genres)
    alone, among = (
        fit_bayesian_fm(world.ratings, catalogue, CONFIG, np.random.default_rng(1))
        for catalogue in (world.catalogue, large)
    )
    rated = np.isin(among.movies, world.ratings.movies)
    assert not among.movie_rated[:-1][~rated].any()
    np.testing.assert_array_equal(among.user_factors[:-1], alone.user_factors[:-1])
    np.testing.assert_array_equal(among.movie_factors[:-1][rated], alone.movie_factors[:-1])
    np.testing.assert_array_equal(among.movie_bias[:-1][rated], alone.movie_bias[:-1])
    action = world.catalogue.movies[np.array(world.catalogue.genres) == "Action"]
    users = np.unique(world.ratings.users)
    of_known = among.predict(np.repeat(users, len(action)), np.tile(action, len(users))).ratings.reshape(len(users), -1)
    of_new = among.predict(users, np.full(len(users), more[0])).ratings
    assert np.corrcoef(of_known.mean(axis=1), of_new)[0, 1] > 0.9


def test_few_rows_get_fewer_factors_but_no_more_than_configured():
    config = RecommenderConfig(factors=9, few_rows=100, few_rows_factors=4)
    assert [plan_sampling(rows, config).factors for rows in (100, 101)] == [4, 9]
    assert plan_sampling(100, config.with_values(factors=3)).factors == 3


@pytest.mark.parametrize("rows", [70_000, 700_000, 1_700_000])
def test_a_plan_stays_within_the_work_budget(rows: int):
    config = RecommenderConfig()
    plan = plan_sampling(rows, config)
    assert rows * (plan.factors + 1) * plan.sweeps * plan.chains <= config.max_work


def test_the_same_bytes_on_any_number_of_threads():
    world = make_world(users=40, movies=30)
    config = RecommenderConfig(factors=2, chains=3, sweeps=30, burn_in=5, rank=4)
    found = []
    for threads in (1, 3):
        with use_threads(threads):
            table = fit_bayesian_fm(world.ratings, world.catalogue, config, np.random.default_rng(5))
        found.append({name: array.tobytes() for name, array in table.arrays().items()})
    assert found[0] == found[1]


def test_progress_ends_at_one():
    world = make_world(users=40, movies=30)
    config = RecommenderConfig(factors=2, chains=2, sweeps=30, burn_in=5, rank=4)
    reported: list[tuple[str, float]] = []
    fit_bayesian_fm(
        world.ratings, world.catalogue, config, np.random.default_rng(5), lambda *each: reported.append(each)
    )
    assert reported == sorted(reported)
    assert reported[-1] == ("ratings", 1.0)
