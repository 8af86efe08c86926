"""Whole users are held out, and their figures are those of the lists that their folded-in histories give."""

import numpy as np
import pytest

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Ratings, RecommenderInputError
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.strong_generalization import (
    FoldedInModel,
    LongListMetrics,
    hold_out_users,
    measure_long_lists,
)
from cinematch_assets_tests.support.populations import make_catalogue, make_two_tastes

RATINGS = make_two_tastes()
CONFIG = RecommenderConfig(method="bias")


def test_whole_users_are_held_out_and_a_fifth_of_their_rows_is_measured_on() -> None:
    split = hold_out_users(RATINGS, seed=1)
    held_out = np.unique(split.history.users)
    assert len(held_out) == round(0.1 * len(np.unique(RATINGS.users)))
    assert np.array_equal(held_out, np.unique(split.test.users))
    assert not np.isin(held_out, split.train.users).any()
    assert len(split.train) + len(split.history) + len(split.test) == len(RATINGS)
    for user in held_out:
        rows = int((RATINGS.users == user).sum())
        assert int((split.history.users == user).sum()) == round(0.8 * rows)


def test_the_same_users_are_held_out_whatever_the_order_of_rows() -> None:
    back = slice(None, None, -1)
    reversed_rows = Ratings.of(*(column[back] for column in (RATINGS.users, RATINGS.movies, RATINGS.ratings)))
    first, second = hold_out_users(RATINGS, seed=1), hold_out_users(reversed_rows, seed=1)
    assert np.array_equal(first.test.users, second.test.users)
    assert np.array_equal(first.test.movies, second.test.movies)


def test_users_with_few_ratings_are_trained_on() -> None:
    few = Ratings.of(np.repeat(np.arange(1, 11), 4), np.tile(np.arange(1, 5), 10), np.full(40, 4.0))
    with pytest.raises(RecommenderInputError, match="0 of 10 have 5 ratings"):
        hold_out_users(few, seed=1)


def test_figures_are_those_of_each_users_own_list() -> None:
    split = hold_out_users(RATINGS, seed=1)
    model = FoldedInModel(fit_recommender(split.train, make_catalogue(), config=CONFIG, seed=1), split.history)
    liked = split.test.where(split.test.ratings >= 4.0)
    recalls = []
    for user in np.unique(liked.users):
        mine = split.history.where(split.history.users == user)
        pairs = list(zip(mine.movies.tolist(), mine.ratings.tolist(), strict=True))
        listed = model.model.recommend_for_ratings(pairs, 20).movies
        relevant = liked.movies[liked.users == user]
        assert not np.isin(listed, mine.movies).any()
        recalls.append(np.isin(relevant, listed).sum() / min(20, len(relevant)))
    found = measure_long_lists(model, split.test)
    assert found.recall_at_20 == pytest.approx(np.mean(recalls))
    assert found.recall_at_20 <= found.recall_at_50 or found.recall_at_50 == pytest.approx(1.0)
    assert 0 < found.ndcg_at_100 <= 1


def test_predictions_of_a_held_out_user_come_from_their_history() -> None:
    split = hold_out_users(RATINGS, seed=1)
    model = FoldedInModel(fit_recommender(split.train, make_catalogue(), config=CONFIG, seed=1), split.history)
    user = split.test.users[0]
    mine = split.history.where(split.history.users == user)
    raised = FoldedInModel(model.model, Ratings.of(mine.users, mine.movies, np.minimum(mine.ratings + 2.0, 5.0)))
    rows = split.test.where(split.test.users == user)
    assert (
        raised.predict(rows.users, rows.movies).ratings.mean() > model.predict(rows.users, rows.movies).ratings.mean()
    )


def test_without_a_relevant_movie_there_are_no_figures() -> None:
    split = hold_out_users(RATINGS, seed=1)
    model = FoldedInModel(fit_recommender(split.train, make_catalogue(), config=CONFIG, seed=1), split.history)
    disliked = split.test.where(split.test.ratings < 4.0)
    assert measure_long_lists(model, disliked) == LongListMetrics(0, None, None, None)
