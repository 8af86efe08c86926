"""What every model answers, the recommender and each baseline alike."""

from collections.abc import Callable

import numpy as np
import pytest

from cinematch_assets.recommender.baselines import bias_only, global_mean, popularity
from cinematch_assets.recommender.config import AlsConfig, RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Pairs, Ratings
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.protocol import Model
from cinematch_assets_tests.support.worlds import make_world

WORLD = make_world()
SPLIT = WORLD.split()
QUICK = {"factors": 3, "chains": 2, "sweeps": 20, "burn_in": 8, "rank": 8, "als": AlsConfig(factors=4, sweeps=4)}


def recommender(method: str) -> Callable[[Ratings, Catalogue], Model]:
    return lambda train, catalogue: fit_recommender(
        train, catalogue, config=RecommenderConfig(method=method, **QUICK), seed=3
    )


@pytest.fixture(
    scope="module",
    params=[global_mean, bias_only, popularity, recommender("bias"), recommender("bayesian_fm"), recommender("als")],
    ids=["global_mean", "bias_only", "popularity", "bias", "bayesian_fm", "als"],
)
def model(request: pytest.FixtureRequest) -> Model:
    return request.param(SPLIT.train, WORLD.catalogue)


def ids(*values: int):
    return np.array(values, np.int32)


class TestEveryModel:
    def test_says_its_method(self, model: Model):
        assert model.method

    def test_predicts_within_the_scale_for_known_and_unknown_ids(self, model: Model):
        users, movies = ids(1, 1, 999, 999), ids(10, 99999, 10, 99999)
        found = model.predict(users, movies)
        assert found.ratings.dtype == np.float32
        assert ((found.ratings >= 0.5) & (found.ratings <= 5.0)).all()
        assert found.user_known.tolist() == [True, True, False, False]
        assert found.movie_known.tolist() == [True, False, True, False]

    def test_predicts_nothing_for_nothing(self, model: Model):
        assert len(model.predict(ids(), ids()).ratings) == 0

    def test_recommendations_are_ranked_unseen_and_without_repeats(self, model: Model):
        users = np.unique(SPLIT.train.users)[:5]
        top = model.recommend(users, 4, seen=SPLIT.train)
        seen = set(zip(SPLIT.train.users.tolist(), SPLIT.train.movies.tolist(), strict=True))
        for user in users:
            mine = top.users == user
            assert top.ranks[mine].tolist() == [1, 2, 3, 4]
            assert (np.diff(top.scores[mine]) <= 1e-6).all()
            assert len(set(top.movies[mine].tolist())) == 4
        assert not seen & set(zip(top.users.tolist(), top.movies.tolist(), strict=True))

    def test_predicted_ratings_of_recommendations_are_those_of_predict(self, model: Model):
        top = model.recommend(ids(1, 2), 3, seen=SPLIT.train)
        np.testing.assert_array_equal(top.predicted_ratings, model.predict(top.users, top.movies).ratings)

    def test_recommendations_are_candidates_only(self, model: Model):
        top = model.recommend(ids(1), 10, seen=Pairs.none(), candidates=ids(30, 10, 20))
        assert sorted(top.movies.tolist()) == [10, 20, 30]

    def test_a_user_who_saw_all_gets_no_recommendations(self, model: Model):
        seen = Pairs(np.full(len(WORLD.catalogue), 1, np.int32), WORLD.catalogue.movies)
        assert model.recommend(ids(1, 2), 3, seen=seen).users.tolist() == [2, 2, 2]

    def test_a_user_without_ratings_gets_recommendations_too(self, model: Model):
        assert len(model.recommend(ids(999), 5, seen=Pairs.none())) == 5

    def test_users_keep_the_order_they_were_asked_in(self, model: Model):
        top = model.recommend(ids(7, 2, 5), 2, seen=SPLIT.train)
        assert top.users.tolist() == [7, 7, 2, 2, 5, 5]

    def test_recommendations_as_a_frame_have_every_column(self, model: Model):
        frame = model.recommend(ids(1), 2, seen=SPLIT.train).to_frame()
        assert list(frame) == ["userId", "rank", "movieId", "score", "predicted_rating", "std", "half_width"]
