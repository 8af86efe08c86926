import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack
from cinematch_assets.recommender.config import AlsConfig, RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Pairs, Ratings, RecommenderInputError
from cinematch_assets.recommender.model import FORMAT, Recommender, choose_method, fit_recommender, sha256_of
from cinematch_assets.recommender.protocol import TopN
from cinematch_assets_tests.support.worlds import make_world

WORLD = make_world()
QUICK = {"factors": 3, "chains": 3, "sweeps": 15, "burn_in": 5, "rank": 8, "als": AlsConfig(factors=4, sweeps=3)}
CONFIG = RecommenderConfig(**QUICK)


@pytest.fixture(scope="module")
def model() -> Recommender:
    return fit_recommender(WORLD.ratings, WORLD.catalogue, config=CONFIG, seed=7)


def test_the_artifact_holds_the_whole_model(model: Recommender):
    data = model.to_bytes()
    back = Recommender.from_bytes(data, sha256_of(data))
    assert (back.method, back.reason, back.to_bytes()) == (model.method, model.reason, data)
    users, movies = WORLD.ratings.users[:50], WORLD.ratings.movies[50:100]
    np.testing.assert_array_equal(back.predict(users, movies).ratings, model.predict(users, movies).ratings)
    mine, its = (one.recommend(users[:3], 5, seen=WORLD.ratings) for one in (model, back))
    np.testing.assert_array_equal(mine.movies, its.movies)


@pytest.mark.faults("hostile-models")
def test_an_artifact_of_another_format_or_kind_is_refused():
    for facts, reason in (({"format": 99}, "has format 99"), ({"format": FORMAT}, "lacks")):
        data = pack({"movies": np.arange(3)}, facts)
        with pytest.raises(ArtifactRefusedError, match=reason):
            Recommender.from_bytes(data, sha256_of(data))


@pytest.mark.faults("hostile-models")
def test_an_altered_artifact_is_refused(model: Recommender):
    data = bytearray(model.to_bytes())
    right = sha256_of(bytes(data))
    data[len(data) // 2] ^= 1
    with pytest.raises(ArtifactRefusedError, match="was registered"):
        Recommender.from_bytes(bytes(data), right)


def test_each_row_of_a_list_is_explained_by_movies_of_its_own_user(model: Recommender):
    users = np.array([WORLD.ratings.users[-1], 987_654, WORLD.ratings.users[0]], np.int32)
    top = model.recommend(users, 6, seen=WORLD.ratings)
    reasons = model.explain(top).lists()
    assert len(reasons) == len(top)
    for user in users:
        own = set(WORLD.ratings.movies[WORLD.ratings.users == user].tolist())
        named = [reasons[row] for row in np.flatnonzero(top.users == user)]
        assert all(set(row) <= own for row in named)
        assert all(named) if own else not any(named)


def test_a_list_for_ratings_is_explained_by_these_ratings(model: Recommender):
    rated = [(int(movie), 5.0) for movie in WORLD.ratings.movies[:2]]
    top = model.recommend_for_ratings(rated, 5)
    named = [movie for row in model.explain_for_ratings(rated, top).lists() for movie in row]
    assert len(top) == 5
    assert named
    assert set(named) <= {movie for movie, _ in rated}


@pytest.mark.faults("determinism")
@pytest.mark.parametrize("method", ["bayesian_fm", "als"])
def test_the_order_of_rows_does_not_change_a_byte(method: str):
    config = RecommenderConfig(method=method, **QUICK)
    frame, movies = WORLD.ratings.to_frame(), WORLD.catalogue
    hashes = set()
    for seed in (1, 2, 3):
        rows = frame.sample(frac=1.0, random_state=seed)
        order = np.random.default_rng(seed).permutation(len(movies))
        titles, genres = [movies.titles[at] for at in order], [movies.genres[at] for at in order]
        shuffled = Catalogue.of(movies.movies[order], titles, genres)
        hashes.add(sha256_of(fit_recommender(Ratings.from_frame(rows), shuffled, config=config, seed=7).to_bytes()))
    assert len(hashes) == 1


_FIT = """
import sys
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.model import fit_recommender, sha256_of
from cinematch_assets_tests.recommender.test_model import QUICK, WORLD
for method in ("bayesian_fm", "als"):
    config = RecommenderConfig(method=method, **QUICK)
    print(sha256_of(fit_recommender(WORLD.ratings, WORLD.catalogue, config=config, seed=7).to_bytes()))
"""


@pytest.mark.faults("determinism")
def test_the_number_of_threads_does_not_change_a_byte():
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    printed = set()
    for threads in ("1", "2", "1"):
        environment = os.environ | dict.fromkeys(names, threads)
        done = subprocess.run([sys.executable, "-c", _FIT], env=environment, capture_output=True, text=True, check=True)
        printed.add(done.stdout)
    assert len(printed) == 1
    assert len(printed.pop().split()) == 2


def test_another_seed_is_another_model(model: Recommender):
    other = fit_recommender(WORLD.ratings, WORLD.catalogue, config=CONFIG, seed=8)
    assert hashlib.sha256(other.to_bytes()).digest() != hashlib.sha256(model.to_bytes()).digest()


def test_the_newest_rating_of_a_movie_is_the_one_trained_on(model: Recommender):
    old = Ratings.of(
        WORLD.ratings.users, WORLD.ratings.movies, 5.5 - WORLD.ratings.ratings, WORLD.ratings.timestamps - 10**9
    )
    names = ("users", "movies", "ratings", "timestamps")
    both = Ratings.of(*(np.concatenate([getattr(WORLD.ratings, name), getattr(old, name)]) for name in names))
    assert fit_recommender(both, WORLD.catalogue, config=CONFIG, seed=7).to_bytes() == model.to_bytes()


def test_size_chooses_the_method_and_says_why():
    config = RecommenderConfig(factors=4, min_sweeps=10, max_work=100_000)
    assert choose_method(1000, config) == (
        "bayesian_fm",
        "1,000 ratings, at most 1,000: the work budget is enough to sample",
    )
    assert choose_method(1001, config) == (
        "als",
        "1,001 ratings, over 1,000: too many to sample within the work budget, so least squares",
    )
    assert choose_method(10**9, RecommenderConfig(method="bayesian_fm"))[0] == "bayesian_fm"


def test_the_model_names_its_parts_and_reasons(model: Recommender):
    assert model.method.startswith("bayesian_fm + ")
    assert "ratings, at most" in model.reason
    assert "3 chains of 15 sweeps with 3 factors" in model.reason


def test_progress_runs_from_start_to_end():
    reported: list[tuple[str, float]] = []
    fit_recommender(WORLD.ratings, WORLD.catalogue, config=CONFIG, seed=7, progress=lambda *what: reported.append(what))
    phases = list(dict.fromkeys(name for name, _ in reported))
    assert phases == ["ratings", "EASE", "implicit ALS", "item similarity"]
    for phase in phases:
        shares = [share for name, share in reported if name == phase]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_nothing_to_train_on_is_refused():
    with pytest.raises(RecommenderInputError, match="no ratings to train on"):
        fit_recommender(WORLD.ratings.where(WORLD.ratings.users > 10**6), WORLD.catalogue, config=CONFIG, seed=1)


class TestRecommendForRatings:
    def test_a_new_user_gets_movies_of_the_kind_they_like(self, model: Recommender):
        horror = [int(m) for m, g in zip(WORLD.catalogue.movies, WORLD.catalogue.genres, strict=True) if g == "Horror"]
        drama = [int(m) for m, g in zip(WORLD.catalogue.movies, WORLD.catalogue.genres, strict=True) if g == "Drama"]
        fan = model.recommend_for_ratings([(m, 5.0) for m in horror[:8]] + [(m, 1.0) for m in drama[:8]], 80)
        foe = model.recommend_for_ratings([(m, 1.0) for m in horror[:8]] + [(m, 5.0) for m in drama[:8]], 80)
        assert mean_rating(fan, horror[8:]) > mean_rating(foe, horror[8:]) + 0.3

    def test_rated_movies_are_not_recommended_again(self, model: Recommender):
        top = model.recommend_for_ratings([(10, 5.0), (20, 4.0)], 20)
        assert not {10, 20} & set(top.movies.tolist())
        assert top.ranks.tolist() == list(range(1, 21))

    def test_candidates_limit_the_list(self, model: Recommender):
        assert set(
            model.recommend_for_ratings([(10, 5.0)], 5, candidates=np.array([10, 30], np.int32)).movies.tolist()
        ) == {30}

    def test_an_unknown_movie_is_named(self, model: Recommender):
        with pytest.raises(RecommenderInputError, match="movie 7 is not in the catalogue"):
            model.recommend_for_ratings([(10, 5.0), (7, 4.0)])

    def test_no_ratings_are_refused(self, model: Recommender):
        with pytest.raises(RecommenderInputError, match="at least one movie"):
            model.recommend_for_ratings([])


def mean_rating(top: TopN, movies: list[int]) -> float:
    return float(top.predicted_ratings[np.isin(top.movies, movies)].mean())


class TestSimilar:
    def test_a_movie_is_not_similar_to_itself_and_each_comes_once(self, model: Recommender):
        found = model.similar(10, 20)
        assert len(set(found.movies.tolist()) - {10}) == 20
        assert (np.diff(found.scores) <= 0).all()

    def test_a_movie_without_ratings_has_similar_movies_too(self):
        movies = WORLD.catalogue
        more = Catalogue.of(np.append(movies.movies, 5), [*movies.titles, "New (2009)"], [*movies.genres, "Horror"])
        model = fit_recommender(WORLD.ratings, more, config=CONFIG, seed=7)
        found = model.similar(5, 5)
        genres = dict(zip(more.movies.tolist(), more.genres, strict=True))
        assert len(found.movies) == 5
        assert [genres[movie] for movie in found.movies.tolist()].count("Horror") >= 3

    def test_an_unknown_movie_is_named(self, model: Recommender):
        with pytest.raises(RecommenderInputError, match="movie 7 is not"):
            model.similar(7, 5)


def test_recommend_leaves_out_what_is_seen_and_only_that(model: Recommender):
    everything = model.recommend(np.array([1], np.int32), 80, seen=Pairs.none())
    assert len(everything) == 80
    seen = WORLD.ratings.where(WORLD.ratings.users == 1)
    assert len(model.recommend(np.array([1], np.int32), 80, seen=seen)) == 80 - len(seen)
