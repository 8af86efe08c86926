import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.config import RankingConfig, RecommenderConfigError
from cinematch_assets.recommender.data import Catalogue, Pairs, Ratings
from cinematch_assets.recommender.evaluation import ndcg_by_user
from cinematch_assets.recommender.kernels import topn
from cinematch_assets.recommender.kernels.bfloat16 import narrow
from cinematch_assets.recommender.kernels.topn import Exclusions
from cinematch_assets.recommender.ranking.ease_sparse import SparseEase
from cinematch_assets.recommender.ranking.histories import UserHistories, user_weights, weight_of
from cinematch_assets.recommender.ranking.ranker import Ranker, UnknownMovieError, fit_ranker

METHODS = {"dual": RankingConfig(), "sparse": RankingConfig(max_dual_users=0)}
LIKENESS = RankingConfig(implicit_weight=0.0, rating_weight=0.0)
SMALL = RankingConfig(max_dual_users=0, head_items=40, neighbours=20, kept=20)


def some_ratings(seed: int = 3, users: int = 120, movies: int = 80) -> Ratings:
    """Two tastes: people rate films of their own half highly, and more of them."""
    rng = np.random.default_rng(seed)
    taste, kind = np.arange(users) % 2, np.arange(movies) % 2
    own = taste[:, None] == kind[None, :]
    u, m = np.nonzero(rng.random((users, movies)) < np.where(own, 0.3, 0.06) * np.linspace(1.5, 0.2, movies))
    stars = np.where(own[u, m], 4.0, 2.0) + rng.choice([-0.5, 0.0, 0.5, 1.0], len(u))
    return Ratings.of(u + 1, 10 * (m + 1), stars)


def a_catalogue(movies: int = 80) -> Catalogue:
    return Catalogue.without_titles(10 * (np.arange(movies + 2) + 1))


@pytest.fixture(scope="module", params=sorted(METHODS))
def ranker(request: pytest.FixtureRequest) -> Ranker:
    return fit_ranker(some_ratings(), a_catalogue(), config=METHODS[request.param])


def textbook(train: Ratings, movies: NDArray[np.int32], config: RankingConfig) -> NDArray[np.float64]:
    """EASE with dropout and user weights, written as in the papers: one inverse of (films, films)."""
    x = UserHistories.of(train, movies).matrix(len(movies)).astype(np.float64)
    w = user_weights(x, config.user_exponent).astype(np.float64)
    gram = (x.T @ sparse.diags(w) @ x).toarray()
    p = np.linalg.inv(gram + np.diag(config.ridge + config.dropout * np.diag(gram)))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    return x @ b


@pytest.mark.parametrize(
    ("config", "off"), [(METHODS["dual"], 5e-6), (METHODS["sparse"], 2e-3)], ids=["dual", "sparse"]
)
def test_both_ways_give_the_scores_of_the_paper(config: RankingConfig, off: float) -> None:
    """The second keeps its cells as bfloat16, which is right to one part in 256."""
    train = some_ratings()
    ranker = fit_ranker(train, a_catalogue(), config=config)
    movies = ranker.weights.movies
    scores = ranker.weights.scores(ranker.weights.profile(np.unique(train.users)))
    assert np.allclose(scores, textbook(train, movies, config), atol=off)


def test_popular_films_are_held_back_by_a_power_of_their_share() -> None:
    train = some_ratings()
    plain, novel = (fit_ranker(train, a_catalogue(), config=RankingConfig(popularity_discount=n)) for n in (0.0, 0.2))
    share = np.array([(train.movies == movie).sum() for movie in plain.weights.movies]) / 120
    assert (plain.lift == 1.0).all()
    assert np.allclose(novel.lift, np.maximum(share, 1e-3) ** -0.2, atol=1e-5)


def test_films_outside_the_inverse_keep_nearly_their_scores() -> None:
    train = some_ratings()
    users = np.unique(train.users)
    exact = fit_ranker(train, a_catalogue(), config=METHODS["sparse"])
    near = fit_ranker(train, a_catalogue(), config=SMALL)
    movies = exact.weights.movies
    tail = np.isin(movies, np.unique(train.movies)) & ~np.isin(movies, most_rated(train, 40))
    scores = (one.weights.scores(one.weights.profile(users))[:, tail].ravel() for one in (exact, near))
    assert np.corrcoef(*scores)[0, 1] > 0.97


def most_rated(train: Ratings, count: int) -> NDArray[np.int32]:
    movies, counts = np.unique(train.movies, return_counts=True)
    return movies[np.lexsort((movies, -counts))[:count]]


def test_lists_hold_what_the_own_half_likes(ranker: Ranker) -> None:
    train = some_ratings()
    users = np.unique(train.users)
    lists = ranker.top(users, 5, train)
    own = (lists.movies // 10 - 1) % 2 == ((users - 1) % 2)[:, None]
    assert own.mean() > 0.9


def test_no_list_holds_a_film_that_was_seen(ranker: Ranker) -> None:
    train = some_ratings()
    users = np.unique(train.users)
    lists = ranker.top(users, 500, train)
    seen = set(zip(train.users.tolist(), train.movies.tolist(), strict=True))
    listed = {(int(u), int(m)) for u, row in zip(users, lists.movies, strict=True) for m in row if m >= 0}
    assert not seen & listed
    assert len(seen) + len(listed) == len(users) * len(ranker.weights.movies)


@pytest.mark.parametrize("users", [0, 3_000], ids=["sparse", "dual"])
def test_where_likeness_alone_counts_lists_are_in_its_order(users: int) -> None:
    ranker = fit_ranker(some_ratings(), a_catalogue(), config=LIKENESS.with_values(max_dual_users=users))
    asked = np.array([7, 3], np.int32)
    scores = ranker.lift * ranker.weights.scores(ranker.weights.profile(asked)) + 1e-6 * ranker.popularity
    lists = ranker.top(asked, 6, Pairs.none())
    assert lists.movies.tolist() == ranker.weights.movies[np.argsort(-scores, axis=1, kind="stable")[:, :6]].tolist()


class StarsOf:
    """Stars that rise with the film's number for everyone, or fall."""

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def user_side(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.full((len(users), 1), self.sign, np.float32)

    def movie_side(self, movies: NDArray[np.int32]) -> NDArray[np.float32]:
        return movies[:, None].astype(np.float32)


def test_expected_stars_move_films_up_and_down_a_list_as_far_as_they_count() -> None:
    train, user = some_ratings(), np.array([1], np.int32)
    ranker = fit_ranker(train, a_catalogue(), config=RankingConfig(rating_weight=10_000.0))
    up, down = (ranker.top(user, 30, train, stars=StarsOf(sign)).movies[0].tolist() for sign in (1.0, -1.0))
    assert up == sorted(up, reverse=True)
    assert down == sorted(down)
    deaf = fit_ranker(train, a_catalogue(), config=RankingConfig(rating_weight=0.0))
    lists = [deaf.top(user, 30, train, stars=StarsOf(sign)).movies.tolist() for sign in (1.0, -1.0)]
    assert lists[0] == lists[1]


def test_a_short_list_is_the_beginning_of_a_longer_one(ranker: Ranker) -> None:
    users = np.array([7, 3, 99_999], np.int32)
    ten, sixteen = (ranker.top(users, k, some_ratings()).movies for k in (10, 16))
    assert ten.tolist() == sixteen[:, :10].tolist()


def test_candidates_limit_a_list_and_unknown_ones_are_passed_over(ranker: Ranker) -> None:
    lists = ranker.top(np.array([1], np.int32), 5, Pairs.none(), np.array([20, 40, 5_000], np.int32))
    assert sorted(lists.movies[0].tolist()) == [20, 40]


def test_a_stranger_gets_the_films_that_please_most_people(ranker: Ranker) -> None:
    train = some_ratings()
    totals = pd.Series(weight_of(train.ratings)).groupby(train.movies).sum()
    lists = ranker.top(np.array([99_999], np.int32), 3, Pairs.none())
    assert lists.movies[0].tolist() == totals.nlargest(3).index.tolist()


def test_somebody_with_the_history_of_a_user_gets_his_list(ranker: Ranker) -> None:
    """He is folded in to the end, the user was fitted in a few steps: their places differ by a little."""
    train = some_ratings()
    own = train.where(train.users == 5)
    folded = ranker.top_folded(np.append(own.movies, 123_456).astype(np.int32), np.append(own.ratings, 5.0), 10)
    known = ranker.top(np.array([5], np.int32), 10, train)
    assert np.isin(folded.movies, known.movies).mean() >= 0.9
    assert folded.movies[0, 0] == known.movies[0, 0]


def test_a_list_for_someone_who_is_not_in_the_data_leaves_out_what_he_named(ranker: Ranker) -> None:
    named = np.array([20, 60], np.int32)
    lists = ranker.top_folded(named, np.array([5.0, 4.5], np.float32), 5)
    assert lists.movies.shape == (1, 5)
    assert not np.isin(lists.movies, named).any()
    assert ((lists.movies // 10 - 1) % 2 == 1).mean() >= 0.8
    few = ranker.top_folded(named, np.array([5.0, 4.5], np.float32), 5, np.array([20, 30, 40], np.int32))
    assert sorted(few.movies[0].tolist()) == [-1, 30, 40] or sorted(few.movies[0].tolist()) == [30, 40]


def test_a_list_holds_at_most_two_films_of_a_franchise_in_ten_places() -> None:
    titles = [
        f"Endless Saga {n + 1} (19{50 + n})" if n % 2 and n < 24 else f"Film {'abcdefghij'[n % 10]}{n} (1999)"
        for n in range(80)
    ]
    catalogue = Catalogue.of(10 * (np.arange(80) + 1), titles, [""] * 80)
    ranker = fit_ranker(some_ratings(), catalogue)
    saga = 10 * (np.arange(1, 24, 2) + 1)
    lists = ranker.top(np.array([2, 4, 6], np.int32), 10, some_ratings())
    assert np.isin(lists.movies, saga).sum(axis=1).tolist() == [2, 2, 2]
    only = ranker.top(np.array([2], np.int32), 10, Pairs.none(), saga.astype(np.int32))
    assert np.isin(only.movies, saga).all()


def test_similar_films_are_of_the_same_half_and_never_the_film_itself(ranker: Ranker) -> None:
    found = ranker.similar(20, 5)
    assert 20 not in found.movies.tolist()
    assert ((found.movies // 10 - 1) % 2 == 1).mean() >= 0.8
    assert (np.diff(found.scores) <= 0).all()


def test_what_is_near_does_not_depend_on_the_method() -> None:
    rankers = [fit_ranker(some_ratings(), a_catalogue(), config=config) for config in METHODS.values()]
    one, other = (ranker.similar(20, 9) for ranker in rankers)
    assert (one.movies.tolist(), one.scores.tolist()) == (other.movies.tolist(), other.scores.tolist())


def test_what_is_near_to_an_unknown_film_cannot_be_asked(ranker: Ranker) -> None:
    with pytest.raises(UnknownMovieError, match="movie 7 is not in the catalogue"):
        ranker.similar(7, 5)


def test_arrays_carry_the_whole_ranker(ranker: Ranker) -> None:
    again = Ranker.from_arrays(ranker.arrays(), ranker.reason)
    users = np.array([1, 2, 99_999], np.int32)
    assert again.method == ranker.method
    assert again.similar(20, 9).scores.tobytes() == ranker.similar(20, 9).scores.tobytes()
    lists = [one.top(users, 20, some_ratings()) for one in (ranker, again)]
    assert lists[0].movies.tobytes() == lists[1].movies.tobytes()
    assert lists[0].scores.tobytes() == lists[1].scores.tobytes()
    assert all(array.dtype.kind in "biuf" for array in ranker.arrays().values())


@pytest.mark.parametrize("config", [METHODS["dual"], SMALL], ids=["dual", "sparse"])
def test_rows_in_any_order_on_any_number_of_threads_give_the_same_bytes(
    config: RankingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = some_ratings()
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(topn, "cores", lambda threads=threads: threads)
        order = np.random.default_rng(threads).permutation(len(train))
        shuffled = Ratings.of(train.users[order], train.movies[order], train.ratings[order])
        arrays = fit_ranker(shuffled, a_catalogue(), config=config).arrays()
        found.append({name: array.tobytes() for name, array in arrays.items()})
    assert found[0] == found[1] == found[2]


def test_scores_and_lists_of_many_films_are_those_of_the_whole_matrix() -> None:
    """More users than a block has, and more core films than are read at once."""
    rng = np.random.default_rng(8)
    movies, users, wide = np.arange(1_700, dtype=np.int32), 600, np.zeros((1_700, 1_700), np.float32)
    core = np.sort(rng.choice(movies, 1_500, replace=False)).astype(np.int32)
    wide[np.ix_(core, core)] = rng.standard_normal((1_500, 1_500), np.float32)
    cells = narrow(wide[np.ix_(core, core)])
    wide[np.ix_(core, core)] = (cells.astype(np.uint32) << 16).view(np.float32)
    border = sparse.random(1_700, 1_700, 0.01, "csr", np.float32, rng)
    history = sparse.random(users, 1_700, 0.02, "csr", np.float32, rng)
    histories = UserHistories(movies[:0], np.zeros(1, np.int64), movies[:0], np.zeros(0, np.float16))
    model = SparseEase(movies, histories, core, cells, border)
    scores = history.toarray() @ (wide + border.toarray())
    assert np.allclose(model.scores(history), scores, atol=1e-4)
    line = rng.random(1_700, np.float32), rng.random(1_700, np.float32)
    line[0][5:50] = -np.inf
    seen = Exclusions(history.indptr.astype(np.int64), history.indices)
    best = model.best(history, line, 7, seen)
    expected = line[0] + line[1] * scores
    expected[history.nonzero()] = -np.inf
    assert (best.columns == np.argsort(-expected, axis=1, kind="stable")[:, :7]).mean() > 0.999
    assert np.allclose(best.scores, -np.sort(-expected, axis=1)[:, :7], atol=1e-4)


def test_the_method_follows_from_the_number_of_users_and_says_so() -> None:
    small = fit_ranker(some_ratings(), a_catalogue())
    large = fit_ranker(some_ratings(), a_catalogue(), config=RankingConfig(max_dual_users=119))
    assert (small.method, large.method) == ("ease_dual + implicit_als", "ease_sparse + implicit_als")
    assert small.reason.startswith("120 users, at most 3,000")
    assert large.reason.startswith("120 users, over 119")


@pytest.mark.parametrize(
    ("knob", "value"),
    [("ridge", 0.0), ("dropout", -1.0), ("kept", 0), ("implicit_weight", -0.1), ("ridge", float("nan"))],
)
def test_a_knob_out_of_range_is_named(knob: str, value: float) -> None:
    with pytest.raises(RecommenderConfigError, match=knob):
        RankingConfig(**{knob: value})


def test_a_rating_says_more_the_higher_it_is_and_never_nothing() -> None:
    assert weight_of(np.array([0.5, 1.0, 3.0, 5.0])).tolist() == [0.0625, 0.0625, 0.5, 1.0]


def ndcg_at_10(scores: NDArray[np.float32], train: Ratings, test: Ratings, users: NDArray, movies: NDArray) -> float:
    scores = scores.copy()
    scores[np.searchsorted(users, train.users), np.searchsorted(movies, train.movies)] = -np.inf
    relevant = np.zeros(scores.shape, bool)
    liked = test.where((test.ratings >= 4) & np.isin(test.users, users))
    relevant[np.searchsorted(users, liked.users), np.searchsorted(movies, liked.movies)] = True
    hits = np.take_along_axis(relevant, np.argsort(-scores, axis=1, kind="stable")[:, :10], axis=1)
    gain = 1 / np.log2(np.arange(2, 12))
    best = np.concatenate([[0.0], np.cumsum(gain)])[np.minimum(relevant.sum(axis=1), 10)]
    return float(((hits * gain).sum(axis=1)[best > 0] / best[best > 0]).mean())


def test_lists_of_real_people_are_better_than_those_of_plain_graded_ease() -> None:
    folder = Path(os.environ.get("CINEMATCH_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
    file = folder / "ml-latest-small" / "ratings.csv"
    if not file.exists():
        pytest.skip(f"needs {file}; CINEMATCH_TEST_DATA names the folder of ml-latest-small")
    rows = Ratings.from_frame(pd.read_csv(file))
    held = np.random.default_rng(42).random(len(rows)) < 0.3
    train, test = rows.where(~held), rows.where(held)
    ranker = fit_ranker(train, Catalogue.without_titles(rows.movies))
    users, movies = np.unique(train.users), ranker.weights.movies
    at = np.searchsorted(users, train.users), np.searchsorted(movies, train.movies)
    x = sparse.csr_matrix((train.ratings / 5.0, at)).toarray()
    inner = np.linalg.inv(x @ x.T / 300.0 + np.eye(len(x)))
    taken = inner @ x
    graded = taken / (1.0 - np.einsum("ij,ij->j", x, taken) / 300.0)
    liked = test.where((test.ratings >= 4) & np.isin(test.users, users))
    people = np.unique(liked.users)
    ours = ndcg_by_user(people, ranker.top(people, 10, train).movies, liked).mean()
    theirs = ndcg_at_10(-graded.astype(np.float32) + x, train, test, users, movies)
    assert ours > theirs > 0.3


@pytest.mark.parametrize(
    "config", [RankingConfig(), RankingConfig(max_dual_users=0), SMALL], ids=["dual", "sparse", "tail"]
)
@pytest.mark.parametrize("movies", [1, 2, 60])
def test_one_user_and_few_films_are_enough(config: RankingConfig, movies: int) -> None:
    train = Ratings.of(np.ones(movies, np.int32), np.arange(movies), np.full(movies, 4.0))
    ranker = fit_ranker(train, Catalogue.without_titles(np.arange(movies + 3)), config=config)
    lists = ranker.top(np.array([1, 2], np.int32), 2, train)
    assert lists.movies[0].tolist() == [movies, movies + 1]
    assert np.isfinite(lists.scores).all()
