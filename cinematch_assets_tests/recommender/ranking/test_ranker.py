import logging

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.config import ImplicitAlsConfig, RankingConfig, RecommenderConfigError
from cinematch_assets.recommender.data import Catalogue, Pairs, Ratings
from cinematch_assets.recommender.evaluation import ndcg_by_user
from cinematch_assets.recommender.kernels.parallel import use_threads
from cinematch_assets.recommender.ranking.histories import rating_weights
from cinematch_assets.recommender.ranking.ranker import Ranker, UnknownMovieError, fit_ranker
from cinematch_assets_tests.support.populations import make_catalogue, make_two_tastes
from cinematch_assets_tests.support.real_data import find_data

METHODS = {"dual": RankingConfig(), "sparse": RankingConfig(max_dual_users=0)}
SMALL_HEAD = RankingConfig(max_dual_users=0, head_items=40, neighbours=20, kept=20)
NEW_USER = np.array([99_999], np.int32)


def fit(
    config: RankingConfig | None = None, train: Ratings | None = None, catalogue: Catalogue | None = None
) -> Ranker:
    return fit_ranker(
        train or make_two_tastes(),
        catalogue or make_catalogue(),
        config or RankingConfig(),
        np.random.default_rng(0),
    )


@pytest.fixture(scope="module", params=sorted(METHODS))
def ranker(request: pytest.FixtureRequest) -> Ranker:
    return fit(METHODS[request.param])


def own_half(movies: NDArray[np.int32], users: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which movies (users, k) are of the half that their user likes."""
    return (movies // 10 - 1) % 2 == ((users - 1) % 2)[:, None]


def test_scores_of_popular_movies_are_discounted_by_a_power_of_their_share() -> None:
    train = make_two_tastes()
    plain, discounted = (fit(RankingConfig(popularity_discount=exponent)) for exponent in (0.0, 0.2))
    share = np.array([(train.movies == movie).sum() for movie in plain.movies]) / 120
    assert (plain.popularity_discount == 1.0).all()
    assert np.allclose(discounted.popularity_discount, np.maximum(share, 1e-3) ** -0.2, atol=1e-5)


def test_rankings_hold_movies_of_the_own_half(ranker: Ranker) -> None:
    train = make_two_tastes()
    users = np.unique(train.users)
    assert own_half(ranker.top(users, 5, train).movies, users).mean() > 0.9


def test_rankings_hold_every_movie_that_was_not_seen_and_no_other(ranker: Ranker) -> None:
    train = make_two_tastes()
    users = np.unique(train.users)
    rankings = ranker.top(users, 500, train)
    seen = set(zip(train.users.tolist(), train.movies.tolist(), strict=True))
    ranked = {(int(u), int(m)) for u, row in zip(users, rankings.movies, strict=True) for m in row if m >= 0}
    assert not seen & ranked
    assert len(seen) + len(ranked) == len(users) * len(ranker.movies)


@pytest.mark.parametrize("max_dual_users", [0, 3_000], ids=["sparse", "dual"])
def test_without_other_signals_rankings_are_in_the_order_of_discounted_ease_scores(max_dual_users: int) -> None:
    ranker = fit(RankingConfig(implicit_weight=0.0, rating_weight=0.0, max_dual_users=max_dual_users))
    users = np.array([7, 3], np.int32)
    scores = ranker.ease.scores(ranker.ease.histories.weights_of(users))
    order = np.argsort(-(ranker.popularity_discount * scores + 1e-6 * ranker.popularity), axis=1, kind="stable")
    assert ranker.top(users, 6, Pairs.none()).movies.tolist() == ranker.movies[order[:, :6]].tolist()


class RatingsByNumber:
    """Predicted ratings that rise with the movie's number for all users, or fall."""

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def user_side(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.full((len(users), 1), self.sign, np.float32)

    def movie_side(self, movies: NDArray[np.int32]) -> NDArray[np.float32]:
        return movies[:, None].astype(np.float32)


def test_predicted_ratings_of_a_large_weight_decide_the_order() -> None:
    train, user = make_two_tastes(), np.array([1], np.int32)
    ranker = fit(RankingConfig(rating_weight=10_000.0))
    up, down = (
        ranker.top(user, 30, train, rating_factors=RatingsByNumber(sign)).movies[0].tolist() for sign in (1.0, -1.0)
    )
    assert up == sorted(up, reverse=True)
    assert down == sorted(down)


def test_predicted_ratings_of_weight_zero_change_nothing() -> None:
    train, user = make_two_tastes(), np.array([1], np.int32)
    ranker = fit(RankingConfig(rating_weight=0.0))
    up, down = (
        ranker.top(user, 30, train, rating_factors=RatingsByNumber(sign)).movies.tolist() for sign in (1.0, -1.0)
    )
    assert up == down


def test_a_short_ranking_is_the_beginning_of_a_longer_one(ranker: Ranker) -> None:
    users = np.array([7, 3, *NEW_USER], np.int32)
    ten, sixteen = (ranker.top(users, k, make_two_tastes()).movies for k in (10, 16))
    assert ten.tolist() == sixteen[:, :10].tolist()


def test_only_candidates_are_ranked_and_unknown_ones_are_ignored(ranker: Ranker) -> None:
    rankings = ranker.top(np.array([1], np.int32), 5, Pairs.none(), np.array([20, 40, 5_000], np.int32))
    assert sorted(rankings.movies[0].tolist()) == [20, 40]


def test_a_user_without_ratings_gets_the_most_popular_movies(ranker: Ranker) -> None:
    train = make_two_tastes()
    popularity = pd.Series(rating_weights(train.ratings)).groupby(train.movies).sum()
    assert ranker.top(NEW_USER, 3, Pairs.none()).movies[0].tolist() == popularity.nlargest(3).index.tolist()


def test_a_new_user_with_the_history_of_a_known_one_gets_nearly_their_ranking(ranker: Ranker) -> None:
    """The new user is folded in exactly, the known one was fitted in a few steps."""
    train = make_two_tastes()
    own = train.where(train.users == 5)
    unknown_movie = 123_456
    new = ranker.top_for_ratings(
        np.append(own.movies, unknown_movie).astype(np.int32), np.append(own.ratings, 5.0).astype(np.float32), 10
    )
    known = ranker.top(np.array([5], np.int32), 10, train)
    assert np.isin(new.movies, known.movies).mean() >= 0.9
    assert new.movies[0, 0] == known.movies[0, 0]


def test_a_new_user_is_not_recommended_what_they_rated(ranker: Ranker) -> None:
    rated, ratings = np.array([20, 60], np.int32), np.array([5.0, 4.5], np.float32)
    rankings = ranker.top_for_ratings(rated, ratings, 5)
    assert rankings.movies.shape == (1, 5)
    assert not np.isin(rankings.movies, rated).any()
    assert own_half(rankings.movies, np.array([2])).mean() >= 0.8


def test_a_new_user_gets_only_candidates(ranker: Ranker) -> None:
    rated, ratings = np.array([20, 60], np.int32), np.array([5.0, 4.5], np.float32)
    rankings = ranker.top_for_ratings(rated, ratings, 5, np.array([20, 30, 40], np.int32))
    assert sorted(rankings.movies[0].tolist()) == [-1, 30, 40]


def test_a_ranking_holds_at_most_two_movies_of_a_franchise_in_ten_places() -> None:
    titles = [
        f"Endless Saga {n + 1} (19{50 + n})" if n % 2 and n < 24 else f"Movie {'abcdefghij'[n % 10]}{n} (1999)"
        for n in range(80)
    ]
    ranker = fit(catalogue=Catalogue.of(10 * (np.arange(80) + 1), titles, [""] * 80))
    saga = (10 * (np.arange(1, 24, 2) + 1)).astype(np.int32)
    rankings = ranker.top(np.array([2, 4, 6], np.int32), 10, make_two_tastes())
    assert np.isin(rankings.movies, saga).sum(axis=1).tolist() == [2, 2, 2]
    only_saga = ranker.top(np.array([2], np.int32), 10, Pairs.none(), saga)
    assert np.isin(only_saga.movies, saga).all()


def test_similar_movies_are_of_the_same_half_and_never_the_movie_itself(ranker: Ranker) -> None:
    found = ranker.similar(20, 5)
    assert 20 not in found.movies.tolist()
    assert own_half(found.movies[None, :], np.array([2])).mean() >= 0.8
    assert (np.diff(found.scores) <= 0).all()


def test_similar_movies_do_not_depend_on_the_ease_method() -> None:
    one, other = (fit(config).similar(20, 9) for config in METHODS.values())
    assert (one.movies.tolist(), one.scores.tolist()) == (other.movies.tolist(), other.scores.tolist())


def test_an_unknown_movie_has_no_similar_movies(ranker: Ranker) -> None:
    with pytest.raises(UnknownMovieError, match="movie 7 is not in the catalogue"):
        ranker.similar(7, 5)


def test_arrays_restore_the_ranker(ranker: Ranker) -> None:
    restored = Ranker.from_arrays(ranker.arrays(), ranker.reason)
    users = np.array([1, 2, *NEW_USER], np.int32)
    assert restored.method == ranker.method
    assert restored.similar(20, 9).scores.tobytes() == ranker.similar(20, 9).scores.tobytes()
    before, after = (each.top(users, 20, make_two_tastes()) for each in (ranker, restored))
    assert before.movies.tobytes() == after.movies.tobytes()
    assert before.scores.tobytes() == after.scores.tobytes()
    assert all(array.dtype.kind in "biuf" for array in ranker.arrays().values())


@pytest.mark.parametrize("config", [METHODS["dual"], SMALL_HEAD], ids=["dual", "sparse"])
def test_rows_in_any_order_on_any_number_of_threads_give_the_same_bytes(config: RankingConfig) -> None:
    train = make_two_tastes()
    found = []
    for threads in (1, 2, 5):
        order = np.random.default_rng(threads).permutation(len(train))
        shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
        with use_threads(threads):
            arrays = fit(config, shuffled).arrays()
        found.append({name: array.tobytes() for name, array in arrays.items()})
    assert found[0] == found[1] == found[2]


def test_the_ease_method_follows_from_the_number_of_users_and_the_reason_names_it() -> None:
    small, large = fit(), fit(RankingConfig(max_dual_users=119))
    assert (small.method, large.method) == ("ease_dual + implicit_als", "ease_sparse + implicit_als")
    assert small.reason.startswith("120 users, at most 3,000")
    assert large.reason.startswith("120 users, over 119")


def test_implicit_als_is_fitted_as_the_ranking_config_says() -> None:
    ranker = fit(RankingConfig(implicit_als=ImplicitAlsConfig(factors=3, ridge=2.0)))
    assert ranker.implicit_als.movies.shape[1] == 3
    assert ranker.implicit_als.ridge_confidence[0] == 2.0


def test_a_ranker_refitted_to_its_own_config_is_the_same_and_to_another_differs() -> None:
    ranker, rng = fit(), np.random.default_rng(0)
    same = ranker.refit_ease(make_catalogue(), RankingConfig(), rng)
    other = ranker.refit_ease(make_catalogue(), RankingConfig(ridge=600.0, implicit_weight=1.4), rng)
    assert all(same.arrays()[name].tobytes() == array.tobytes() for name, array in ranker.arrays().items())
    assert other.signal_weights[0] == np.float32(1.4)
    assert other.arrays()["penalty"].tobytes() != ranker.arrays()["penalty"].tobytes()
    assert "λ = 600" in other.reason


def test_each_phase_is_logged_with_its_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cinematch_assets.recommender.ranking"):
        fit()
    ended = [message for message in caplog.messages if " done in " in message]
    assert [message.split(" ")[0] for message in ended] == ["user", "EASE", "implicit", "item"]


def test_progress_ends_at_one_in_every_phase() -> None:
    last: dict[str, float] = {}
    fit_ranker(
        make_two_tastes(), make_catalogue(), SMALL_HEAD, np.random.default_rng(0), lambda *step: last.update([step])
    )
    assert last == {"EASE": 1.0, "implicit ALS": 1.0, "item similarity": 1.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [("ridge", 0.0), ("dropout", -1.0), ("kept", 0), ("implicit_weight", -0.1), ("ridge", float("nan"))],
)
def test_a_hyperparameter_out_of_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(RecommenderConfigError, match=name):
        RankingConfig(**{name: value})


def ndcg_of_scores(scores: NDArray[np.float32], train: Ratings, liked: Ratings, movies: NDArray[np.int32]) -> float:
    """nDCG@10 of rankings by ``scores`` of all training users, without what they rated."""
    users = np.unique(train.users)
    scores = scores.copy()
    scores[np.searchsorted(users, train.users), np.searchsorted(movies, train.movies)] = -np.inf
    ranked = movies[np.argsort(-scores, axis=1, kind="stable")[:, :10]]
    asked = np.unique(liked.users)
    return float(ndcg_by_user(asked, ranked[np.searchsorted(users, asked)], liked).mean())


def test_rankings_of_real_users_are_better_than_those_of_plain_graded_ease() -> None:
    """Graded EASE: weights r / 5 and λ = 300, without dropout, user weights and other signals."""
    rows = Ratings.from_frame(pd.read_csv(find_data("ml-latest-small") / "ratings.csv"))
    test_rows = np.random.default_rng(42).random(len(rows)) < 0.3
    train, test = rows.where(~test_rows), rows.where(test_rows)
    ranker = fit(train=train, catalogue=Catalogue.without_titles(rows.movies))
    users, movies = np.unique(train.users), ranker.movies
    cells = np.searchsorted(users, train.users), np.searchsorted(movies, train.movies)
    x = sparse.csr_matrix((train.ratings / 5.0, cells)).toarray()
    dual = np.linalg.inv(x @ x.T / 300.0 + np.eye(len(x))) @ x
    graded = x - dual / (1.0 - np.einsum("ij,ij->j", x, dual) / 300.0)
    liked = test.where((test.ratings >= 4) & np.isin(test.users, users))
    asked = np.unique(liked.users)
    ours = ndcg_by_user(asked, ranker.top(asked, 10, train).movies, liked).mean()
    assert ours > ndcg_of_scores(graded.astype(np.float32), train, liked, movies) > 0.3


@pytest.mark.parametrize("config", [*METHODS.values(), SMALL_HEAD], ids=["dual", "sparse", "tail"])
@pytest.mark.parametrize("movies", [1, 2, 60])
def test_one_user_and_few_movies_are_enough(config: RankingConfig, movies: int) -> None:
    train = Ratings.of(np.ones(movies, np.int32), np.arange(movies), np.full(movies, 4.0))
    ranker = fit(config, train, Catalogue.without_titles(np.arange(movies + 3)))
    rankings = ranker.top(np.array([1, 2], np.int32), 2, train)
    assert rankings.movies[0].tolist() == [movies, movies + 1]
    assert np.isfinite(rankings.scores).all()


def test_an_artifact_from_before_the_genre_match_ranks_without_it() -> None:
    without = fit(RankingConfig(genre_weight=0.0))
    older = fit().arrays()
    older["signal_weights"] = older["signal_weights"][:2]
    train = make_two_tastes()
    users = np.unique(train.users)
    np.testing.assert_array_equal(
        Ranker.from_arrays(older).top(users, 5, train).scores, without.top(users, 5, train).scores
    )


def test_of_movies_that_the_same_users_rated_those_of_the_users_genres_come_first() -> None:
    # Users 1 to 20 rated movies 0 to 5, dramas, and users 21 to 40 movies 6 to 11, horror; most rated 12 to 17 too.
    genres = ["Drama"] * 6 + ["Horror"] * 6 + ["Horror", "Drama"] * 3
    catalogue = Catalogue.of(np.arange(1, 19, dtype=np.int32), [f"Movie {n}" for n in range(18)], genres)
    rows = [(user, movie) for user in range(1, 41) for movie in (range(6) if user <= 20 else range(6, 12))]
    rows += [(user, movie) for user in range(1, 41) if user not in (1, 40) for movie in range(12, 18)]
    users, movies = (np.array(column) for column in zip(*rows, strict=True))
    train = Ratings.of(users, movies + 1, np.full(len(users), 4.0), np.zeros(len(users)))
    for user, own in ((1, "Drama"), (40, "Horror")):
        top = fit(train=train, catalogue=catalogue).top(np.array([user], np.int32), 18, train).movies[0]
        shared = [genres[movie - 1] for movie in top if movie - 1 >= 12]
        assert shared[:3] == [own] * 3
