import numpy as np

from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.rating_prediction.design import build_design
from cinematch_assets.recommender.rating_prediction.gibbs import Chain, Sample
from cinematch_assets_tests.support.worlds import make_world, rmse

WORLD = make_world()
SPLIT = WORLD.split()
USERS = np.unique(WORLD.ratings.users)
DESIGN = build_design(SPLIT.train, USERS, WORLD.catalogue.movies, WORLD.catalogue)


def drawn(chain: Chain) -> Sample:
    chain.sweep()
    return chain.sample()


def expected(sample: Sample, users, movies):
    u, m = np.searchsorted(USERS, users), np.searchsorted(WORLD.catalogue.movies, movies)
    product = np.einsum("kn,kn->n", sample.users[1:][:, u], sample.movies[1:][:, m])
    return sample.mean + sample.users[0][u] + sample.movies[0][m] + product


def test_what_is_left_stays_what_is_not_explained():
    # Residuals are updated weight by weight; after sweeps they must still be ratings minus the model's own sums.
    chain = Chain(DESIGN, 3, np.random.SeedSequence(1))
    for _ in range(5):
        chain.sweep()
    left = chain._users.work.rows[:, 1]
    np.testing.assert_allclose(left, DESIGN.ratings - chain._expected(DESIGN), atol=1e-4)


def test_sums_stay_the_sums_of_their_weights():
    chain = Chain(DESIGN, 3, np.random.SeedSequence(1))
    for _ in range(5):
        chain.sweep()
    np.testing.assert_allclose(chain._users.totals, chain._users._sums(DESIGN.users), atol=1e-8)
    np.testing.assert_allclose(chain._movies.totals, chain._movies._sums(DESIGN.movies), atol=1e-8)


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, again, other = (drawn(Chain(DESIGN, 2, np.random.SeedSequence(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.users, again.users)
    assert np.abs(first.users - other.users).max() > 0.01


def test_the_average_of_samples_finds_the_truth_but_for_noise():
    chain = Chain(DESIGN, 3, np.random.SeedSequence(1))
    samples = [drawn(chain) for _ in range(60)][20:]
    test = SPLIT.test
    stars = np.mean([expected(sample, test.users, test.movies) for sample in samples], axis=0)
    # The world's own noise is 0.5, and rounding to half stars adds a little.
    assert rmse(stars, test.ratings) < 0.62
    assert test.ratings.std() > 0.95


def test_a_small_group_of_weights_of_nothing_is_left_at_nothing():
    # Four genres that weigh nothing: the next draw of their standard deviation must be near what the prior imagines.
    half = Chain(DESIGN, 12, np.random.SeedSequence(1))._movies
    for part in half.weights:
        part[:] = 0.0
    drawn = []
    for seed in range(20):
        half.draw_prior(np.random.default_rng(seed), settled=True)
        drawn.append(half.prior.precision[2] ** -0.5)
    biases, factors = np.median(drawn, axis=0)[0], np.median(np.array(drawn)[:, 1:])
    assert half.groups[3] - half.groups[2] == 4
    assert factors < 0.12
    assert biases < 0.36


def test_noise_is_seen_per_user():
    # Half of the users answer at random: their precision must come out lower.
    train, even = SPLIT.train, USERS % 2 == 0
    answers = np.random.default_rng(0).choice([1.0, 3.0, 5.0], len(train))
    stars = np.where(train.users % 2 == 0, answers, train.ratings)
    noisy = Ratings.of(train.users, train.movies, stars, train.timestamps)
    chain = Chain(build_design(noisy, USERS, WORLD.catalogue.movies, WORLD.catalogue), 2, np.random.SeedSequence(1))
    precision = [drawn(chain) for _ in range(15)][-1].user_precision[:-1]
    assert precision[~even].mean() > 2.5 * precision[even].mean()
