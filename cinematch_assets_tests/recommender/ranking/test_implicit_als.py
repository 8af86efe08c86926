import numpy as np
import pytest
from scipy import sparse

from cinematch_assets.recommender.config import ImplicitAlsConfig, RecommenderConfigError
from cinematch_assets.recommender.kernels.parallel import use_threads
from cinematch_assets.recommender.ranking.implicit_als import ImplicitFactors, fit_implicit_als

USERS, FILMS = 300, 60


def some_history(seed: int = 0) -> sparse.csr_matrix:
    """Weights of people who watch films of their own half, and few of the other; the last user and film have none."""
    rng = np.random.default_rng(seed)
    own = np.arange(USERS)[:, None] % 2 == np.arange(FILMS)[None, :] % 2
    weights = rng.choice([0.5, 0.75, 1.0], own.shape) * (rng.random(own.shape) < np.where(own, 0.4, 0.04))
    weights[-1], weights[:, -1] = 0.0, 0.0
    return sparse.csr_matrix(weights.astype(np.float32))


def test_people_like_the_films_of_their_half() -> None:
    likings = fit_implicit_als(some_history(), ImplicitAlsConfig(factors=4), 0)
    scores = (likings.users @ likings.movies.T)[:-1, :-1]
    own = np.arange(USERS - 1)[:, None] % 2 == np.arange(FILMS - 1)[None, :] % 2
    assert (scores[own] > 0.5).mean() > 0.9
    assert (scores[~own] < 0.5).mean() > 0.9


def test_a_row_solves_the_equations_of_the_paper() -> None:
    """Hu, Koren & Volinsky (2008), eq. 4, dense: a confidence for every cell, rated or not; ridge by Rendle (2022)."""
    history, config = some_history(), ImplicitAlsConfig(factors=4, steps=30)
    likings = fit_implicit_als(history, config, 0)
    confidence = 1.0 + config.confidence * history.toarray().astype(np.float64)
    wanted, movies = (history.toarray() > 0).astype(np.float64), likings.movies.astype(np.float64)
    for user in (0, 17, 298):
        said = history[user].nnz + FILMS / config.confidence
        matrix = movies.T @ (confidence[user][:, None] * movies) + config.ridge * np.sqrt(said) * np.eye(4)
        row = np.linalg.solve(matrix, movies.T @ (confidence[user] * wanted[user]))
        assert np.allclose(likings.users[user], row, atol=1e-4)


def test_folding_in_a_user_s_own_history_gives_his_row() -> None:
    history = some_history()
    likings = fit_implicit_als(history, ImplicitAlsConfig(factors=4, steps=30), 0)
    assert np.allclose(likings.fold_in(history[:20]), likings.users[:20], atol=1e-4)


def test_nothing_is_known_of_who_and_what_has_no_ratings() -> None:
    likings = fit_implicit_als(some_history(), ImplicitAlsConfig(), 0)
    assert not likings.users[-1].any()
    assert not likings.movies[-1].any()
    assert not likings.fold_in(some_history()[-1]).any()


def bytes_of(likings: ImplicitFactors) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in likings.arrays().items()}


def test_the_same_bytes_on_any_number_of_threads_and_from_arrays() -> None:
    found = []
    for threads in (1, 2, 5):
        with use_threads(threads):
            found.append(bytes_of(fit_implicit_als(some_history(), ImplicitAlsConfig(), 3)))
    assert found[0] == found[1] == found[2]
    likings = fit_implicit_als(some_history(), ImplicitAlsConfig(), 3)
    again = ImplicitFactors.from_arrays(likings.arrays())
    assert bytes_of(again) == found[0]
    assert fit_implicit_als(some_history(), ImplicitAlsConfig(), 4).users.tobytes() != likings.users.tobytes()


@pytest.mark.parametrize(("knob", "value"), [("factors", 0), ("ridge", 0.0), ("confidence", np.nan), ("steps", 0)])
def test_a_knob_out_of_range_is_named(knob: str, value: float) -> None:
    with pytest.raises(RecommenderConfigError, match=knob):
        ImplicitAlsConfig(**{knob: value})
