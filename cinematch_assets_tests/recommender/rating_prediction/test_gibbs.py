import numpy as np

from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.rating_prediction.design import build_design
from cinematch_assets.recommender.rating_prediction.gibbs import Chain, Sample
from cinematch_assets_tests.support.worlds import make_world, rmse

WORLD = make_world()
SPLIT = WORLD.split()
USERS = np.unique(WORLD.ratings.users)
DESIGN = build_design(SPLIT.train, USERS, WORLD.catalogue.movies, WORLD.catalogue)


def draw_sample(chain: Chain) -> Sample:
    chain.sweep()
    return chain.sample()


def expected(sample: Sample, users, movies):
    u, m = np.searchsorted(USERS, users), np.searchsorted(WORLD.catalogue.movies, movies)
    product = np.einsum("kn,kn->n", sample.users[1:][:, u], sample.movies[1:][:, m])
    return sample.mean + sample.users[0][u] + sample.movies[0][m] + product


def test_residuals_stay_ratings_minus_expectations():
    # Residuals are updated weight by weight; after sweeps they must still be ratings minus the model's own sums.
    chain = Chain(DESIGN, 3, np.random.default_rng(1))
    for _ in range(5):
        chain.sweep()
    np.testing.assert_allclose(chain._residuals, DESIGN.ratings - chain._expected(DESIGN), atol=1e-4)


def test_sums_stay_the_sums_of_their_weights():
    chain = Chain(DESIGN, 3, np.random.default_rng(1))
    for _ in range(5):
        chain.sweep()
    np.testing.assert_allclose(chain._users.totals, chain._users._sums(DESIGN.users), atol=1e-5)
    np.testing.assert_allclose(chain._movies.totals, chain._movies._sums(DESIGN.movies), atol=1e-5)


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, again, other = (draw_sample(Chain(DESIGN, 2, np.random.default_rng(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.users, again.users)
    assert np.abs(first.users - other.users).max() > 0.01


def test_the_mean_of_samples_predicts_with_little_more_than_the_noise():
    chain = Chain(DESIGN, 3, np.random.default_rng(1))
    samples = [draw_sample(chain) for _ in range(60)][20:]
    test = SPLIT.test
    predicted = np.mean([expected(sample, test.users, test.movies) for sample in samples], axis=0)
    # The world's own noise is 0.5, and rounding to half stars adds a little.
    assert rmse(predicted, test.ratings) < 0.62
    assert test.ratings.std() > 0.95


def test_a_small_group_of_zero_weights_keeps_a_small_prior():
    # Four genres of weight zero: the next draw of their standard deviation must be near the prior scale.
    side = Chain(DESIGN, 12, np.random.default_rng(1))._movies
    for part in side.weights:
        part[:] = 0.0
    drawn = []
    for seed in range(20):
        side.draw_prior(np.random.default_rng(seed), broad=False)
        drawn.append(side.prior.precision[2] ** -0.5)
    biases, factors = np.median(drawn, axis=0)[0], np.median(np.array(drawn)[:, 1:])
    assert side.groups[3] - side.groups[2] == 4
    assert factors < 0.12
    assert biases < 0.36


def test_noise_is_estimated_per_user():
    # Half of the users answer at random: their precision must come out lower.
    train, even = SPLIT.train, USERS % 2 == 0
    answers = np.random.default_rng(0).choice([1.0, 3.0, 5.0], len(train))
    ratings = np.where(train.users % 2 == 0, answers, train.ratings)
    noisy = Ratings.of(train.users, train.movies, ratings, train.timestamps)
    chain = Chain(build_design(noisy, USERS, WORLD.catalogue.movies, WORLD.catalogue), 2, np.random.default_rng(1))
    precision = [draw_sample(chain) for _ in range(15)][-1].user_precision[:-1]
    assert precision[~even].mean() > 2.5 * precision[even].mean()
