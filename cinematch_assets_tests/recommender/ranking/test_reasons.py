import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Pairs, Ratings
from cinematch_assets.recommender.kernels.parallel import use_threads
from cinematch_assets.recommender.ranking.ranker import Ranker, fit_ranker
from cinematch_assets.recommender.ranking.reasons import REASONS
from cinematch_assets_tests.support.populations import make_catalogue, make_two_tastes
from cinematch_assets_tests.support.real_data import find_data

METHODS = {
    "dual": RankingConfig(),
    "sparse": RankingConfig(max_dual_users=0),
    "small head": RankingConfig(max_dual_users=0, head_items=40, neighbours=20, kept=8),
}


@pytest.fixture(scope="module", params=sorted(METHODS))
def ranker(request: pytest.FixtureRequest) -> Ranker:
    return fit_ranker(make_two_tastes(), make_catalogue(), METHODS[request.param], np.random.default_rng(0))


def drops(ranker: Ranker, weights: sparse.csr_matrix, movie: int) -> np.ndarray:
    """By how much the score of a movie falls when each movie of one history is removed, by scoring what is left."""
    without = np.repeat(weights.toarray(), weights.nnz, axis=0)
    without[np.arange(weights.nnz), weights.indices] = 0.0
    column = np.searchsorted(ranker.movies, movie)
    scores = ranker.ease.scores(sparse.vstack([weights, sparse.csr_matrix(without)]).tocsr())[:, column]
    return (scores[0] - scores[1:]) * ranker.popularity_discount[column]


def share_of_first_reasons_that_matter_most(ranker: Ranker, train: Ratings, users: np.ndarray, k: int = 10) -> float:
    listed = ranker.top(users, k, train).movies
    first = ranker.reasons(users, listed).movies[:, 0].reshape(listed.shape)
    right = []
    for user, movies, named in zip(users, listed, first, strict=True):
        history = ranker.ease.histories.weights_of(np.array([user], np.int32))
        for movie, reason in zip(movies, named, strict=True):
            if reason >= 0:
                right.append(ranker.movies[history.indices[drops(ranker, history, movie).argmax()]] == reason)
    assert len(right) >= 0.95 * listed.size
    return float(np.mean(right))


def test_contributions_are_what_the_score_loses_without_each_movie(ranker: Ranker) -> None:
    users = np.array([1, 2, 57], np.int32)
    listed = ranker.top(users, 5, make_two_tastes()).movies
    reasons = ranker.reasons(users, listed)
    assert reasons.movies.shape == reasons.contributions.shape == (15, REASONS)
    for row, (user, movie) in enumerate(zip(np.repeat(users, 5), listed.ravel(), strict=True)):
        history = ranker.ease.histories.weights_of(np.array([user], np.int32))
        lost = drops(ranker, history, int(movie))
        order = np.argsort(-lost, kind="stable")[:REASONS]
        order = order[lost[order] > 1e-6]
        assert reasons.lists()[row][: len(order)] == ranker.movies[history.indices[order]].tolist()
        assert np.allclose(reasons.contributions[row, : len(order)], lost[order], atol=2e-6)


def test_without_the_first_reason_the_score_falls_most(ranker: Ranker) -> None:
    train = make_two_tastes()
    assert share_of_first_reasons_that_matter_most(ranker, train, np.unique(train.users)[::4]) >= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("max_dual_users", [0, 3_000], ids=["sparse", "dual"])
def test_on_real_ratings_the_score_falls_most_without_the_first_reason(max_dual_users: int) -> None:
    folder = find_data("ml-latest-small")
    train = Ratings.from_frame(pd.read_csv(folder / "ratings.csv"))
    catalogue = Catalogue.from_frame(pd.read_csv(folder / "movies.csv"))
    ranker = fit_ranker(train, catalogue, RankingConfig(max_dual_users=max_dual_users), np.random.default_rng(0))
    assert share_of_first_reasons_that_matter_most(ranker, train, np.unique(train.users)[::20]) >= 0.99


def test_a_listed_movie_of_the_history_is_no_reason_for_itself(ranker: Ranker) -> None:
    users = np.array([1], np.int32)
    own = ranker.movies[ranker.ease.histories.weights_of(users).indices[:4]]
    for movie, reasons in zip(own, ranker.reasons(users, own[None, :]).lists(), strict=True):
        assert movie not in reasons
        assert reasons


def test_users_and_movies_without_ratings_have_no_reasons(ranker: Ranker) -> None:
    new_user = np.array([99_999], np.int32)
    assert ranker.reasons(new_user, ranker.top(new_user, 3, Pairs.none()).movies).lists() == [[], [], []]
    unrated, unknown, empty = 810, 12_345, -1
    assert ranker.reasons(np.array([1], np.int32), np.array([[unrated, unknown, empty]])).lists() == [[], [], []]


def test_a_folded_in_user_has_the_reasons_of_a_user_with_the_same_ratings(ranker: Ranker) -> None:
    train, users = make_two_tastes(), np.array([5], np.int32)
    own, listed = train.where(train.users == 5), ranker.top(users, 4, train).movies
    folded, known = ranker.reasons_for_ratings(own.movies, own.ratings, listed), ranker.reasons(users, listed)
    assert folded.lists() == known.lists()
    assert np.allclose(folded.contributions, known.contributions, atol=1e-6)


def test_the_number_of_threads_changes_no_byte(ranker: Ranker) -> None:
    users = np.unique(make_two_tastes().users)
    listed = ranker.top(users, 10, make_two_tastes()).movies
    found = []
    for threads in (1, 3):
        with use_threads(threads):
            reasons = ranker.reasons(users, listed)
        found.append((reasons.movies.tobytes(), reasons.contributions.tobytes()))
    assert found[0] == found[1]
