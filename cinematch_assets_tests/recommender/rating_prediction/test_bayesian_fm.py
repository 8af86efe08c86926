import numpy as np
import pytest

from cinematch_assets.recommender.baselines import bias_only
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import evaluate
from cinematch_assets.recommender.rating_prediction.bayesian_fm import BayesPlan, _average_product, fit_bayes, plan_for
from cinematch_assets.recommender.rating_prediction.gibbs import Sample
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.splits import random_split
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic
from cinematch_assets_tests.support.worlds import World, make_world, rmse

PLAN = BayesPlan(factors=3, chains=2, sweeps=45, burn_in=15, thinning=2, rank=12)


def fit(world: World, train) -> RatingTable:
    return fit_bayes(train, world.catalogue, PLAN, 1, lambda _share: None)


def test_the_average_of_products_is_kept_not_the_product_of_averages():
    # One factor, turned around in the second sample: its average is nothing, the average product is not.
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 30)).astype(np.float32), rng.normal(size=(2, 40)).astype(np.float32)
    samples = [Sample(0.0, sign * p, sign * q, np.ones(30, np.float32), 1.28) for sign in (1, -1)]
    users, movies = _average_product(samples, 4, np.random.default_rng(1))
    np.testing.assert_allclose(users @ movies.T, p[1:].T @ q[1:], atol=1e-5)


def test_it_predicts_better_than_biases_and_almost_as_well_as_the_truth():
    world = make_world(noise=0.5)
    split = world.split()
    table = fit(world, split.train)
    ours = rmse(table.predict(split.test.users, split.test.movies).ratings, split.test.ratings)
    theirs = evaluate(bias_only(split.train, world.catalogue), split.train, split.test, world.catalogue).rmse
    assert ours < 0.9 * theirs
    assert ours < 0.62


@pytest.mark.parametrize(("users", "movies", "rows"), [(22, 412, 3_000), (150, 250, 6_000)])
def test_on_few_ratings_it_is_no_worse_than_biases(users: int, movies: int, rows: int):
    # Three worlds, because the test rows of one say little.
    ours, theirs = [], []
    for seed in (0, 1, 2):
        frame, movie_ids, _ = make_synthetic(SyntheticSpec(users, movies, rows, seed=seed))
        split, catalogue = random_split(Ratings.from_frame(frame), 0.3, seed), Catalogue.from_frame(movie_ids)
        plan = plan_for(len(split.train), RecommenderConfig())
        for model, errors in (
            (fit_bayes(split.train, catalogue, plan, seed, lambda _share: None), ours),
            (bias_only(split.train, catalogue), theirs),
        ):
            errors.append(rmse(model.predict(split.test.users, split.test.movies).ratings, split.test.ratings))
    assert np.mean(ours) < 1.003 * np.mean(theirs)


def test_interactions_that_are_not_there_are_shrunk_away():
    world = make_world(noise=0.5)
    rng = np.random.default_rng(5)
    rows = world.ratings
    stars = 3.5 + rng.normal(0, 0.4, 121)[rows.users] + rng.normal(0, 0.7, len(rows))
    table = fit(world, Ratings.of(rows.users, rows.movies, stars, rows.timestamps))
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


def test_the_spread_tells_the_sure_from_the_unsure():
    # Every second user is noisier; in a world where all have one noise and as many ratings, nobody is less sure.
    world = make_world(users=200, movies=120, noise=0.3)
    rows = world.ratings
    extra = np.random.default_rng(2).normal(0, 0.8, len(rows)) * (rows.users % 2)
    split = random_split(Ratings.of(rows.users, rows.movies, rows.ratings + extra, rows.timestamps), 0.3, 1)
    found = fit(world, split.train).predict(split.test.users, split.test.movies)
    errors = np.abs(found.ratings - split.test.ratings)
    unsure = found.std > np.median(found.std)
    assert errors[unsure].mean() > 1.5 * errors[~unsure].mean()


def test_more_rows_get_fewer_sweeps_but_never_too_few():
    config = RecommenderConfig()
    small, large, huge = (plan_for(rows, config) for rows in (70_000, 400_000, 100_000_000))
    assert (small.chains, small.sweeps) == (config.chains, config.sweeps)
    assert large.chains * large.sweeps < small.chains * small.sweeps
    assert (huge.chains, huge.sweeps) == (2, config.min_sweeps)
    assert huge.burn_in < huge.sweeps
