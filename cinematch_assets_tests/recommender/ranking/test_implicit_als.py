import numpy as np
import pytest
from scipy import sparse

from cinematch_assets.recommender.config import ImplicitAlsConfig, RecommenderConfigError
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.kernels.parallel import use_threads
from cinematch_assets.recommender.ranking.histories import UserHistories
from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors, fit_implicit_als

USERS, MOVIES = 300, 60
CATALOGUE = Catalogue.without_titles(np.arange(MOVIES))


def make_histories(seed: int = 0) -> UserHistories:
    """Users watch many movies of their own half and few of the other; the last user and movie have no ratings."""
    rng = np.random.default_rng(seed)
    own = np.arange(USERS)[:, None] % 2 == np.arange(MOVIES)[None, :] % 2
    ratings = rng.choice([3.0, 4.0, 5.0], own.shape) * (rng.random(own.shape) < np.where(own, 0.4, 0.04))
    ratings[-1], ratings[:, -1] = 0.0, 0.0
    u, m = np.nonzero(ratings)
    rated = Ratings.of(np.append(u, USERS - 1), np.append(m, MOVIES), np.append(ratings[u, m], 5.0))
    return UserHistories.of(rated, CATALOGUE.movies)


def fit(config: ImplicitAlsConfig | None = None, seed: int = 0) -> ImplicitFactors:
    return fit_implicit_als(
        make_histories(), CATALOGUE, config or ImplicitAlsConfig(factors=4), np.random.default_rng(seed)
    )


def test_scores_are_high_in_a_user_s_own_half_and_low_in_the_other() -> None:
    model = fit()
    scores = (model.users @ model.movies.T)[:-1, :-1]
    own = np.arange(USERS - 1)[:, None] % 2 == np.arange(MOVIES - 1)[None, :] % 2
    assert (scores[own] > 0.5).mean() > 0.9
    assert (scores[~own] < 0.5).mean() > 0.9


def test_a_row_solves_the_equations_of_the_paper() -> None:
    """Hu, Koren & Volinsky (2008), eq. 4, dense: a confidence for every cell, rated or not; ridge by Rendle (2022)."""
    weights, config = make_histories().weights(), ImplicitAlsConfig(factors=4, steps=30)
    model = fit(config)
    confidence = 1.0 + config.confidence * weights.toarray().astype(np.float64)
    preference, movies = (weights.toarray() > 0).astype(np.float64), model.movies.astype(np.float64)
    for user in (0, 17, 298):
        ridge = config.ridge * np.sqrt(weights[user].nnz + MOVIES / config.confidence)
        normal = movies.T @ (confidence[user][:, None] * movies) + ridge * np.eye(4)
        row = np.linalg.solve(normal, movies.T @ (confidence[user] * preference[user]))
        assert np.allclose(model.users[user], row, atol=1e-4)


def test_folding_in_a_user_s_own_history_gives_their_row() -> None:
    model = fit(ImplicitAlsConfig(factors=4, steps=30))
    assert np.allclose(model.fold_in(make_histories().weights()[:20]), model.users[:20], atol=1e-4)


def test_users_and_movies_without_ratings_have_zero_factors() -> None:
    model = fit()
    assert not model.users[-1].any()
    assert not model.movies[-1].any()
    assert not model.fold_in(sparse.csr_matrix((1, MOVIES), dtype=np.float32)).any()


def bytes_of(model: ImplicitFactors) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.arrays().items()}


def test_the_bytes_are_the_same_on_any_number_of_threads() -> None:
    found = []
    for threads in (1, 2, 5):
        with use_threads(threads):
            found.append(bytes_of(fit(seed=3)))
    assert found[0] == found[1] == found[2]


def test_another_seed_gives_other_factors() -> None:
    assert fit(seed=3).users.tobytes() != fit(seed=4).users.tobytes()


def test_arrays_restore_the_factors() -> None:
    model = fit()
    assert bytes_of(ImplicitFactors.from_arrays(model.arrays())) == bytes_of(model)


@pytest.mark.parametrize(("name", "value"), [("factors", 0), ("ridge", 0.0), ("confidence", np.nan), ("steps", 0)])
def test_a_hyperparameter_out_of_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(RecommenderConfigError, match=name):
        ImplicitAlsConfig(**{name: value})
