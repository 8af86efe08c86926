import math

import numpy as np
import pandas as pd
import pytest

from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Ratings, RecommenderInputError
from cinematch_assets.recommender.evaluate_files import backtest, evaluate_frames, evaluate_unseen_users
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.splits import LeakError
from cinematch_assets_tests.support.worlds import make_world

WORLD = make_world()
SPLIT = WORLD.split()
TRAIN, TEST = SPLIT.train.to_frame(), SPLIT.test.to_frame()
MOVIES = pd.DataFrame(
    {"movieId": WORLD.catalogue.movies, "title": WORLD.catalogue.titles, "genres": WORLD.catalogue.genres}
)
CONFIG = RecommenderConfig(factors=3, chains=2, sweeps=20, burn_in=8, rank=8)
KEYS = (
    "method",
    "rmse",
    "mae",
    "precision_at_10",
    "catalogue_precision_at_10",
    "catalogue_ndcg_at_10",
    "coverage",
    "fit_seconds",
    "predict_seconds",
    "peak_rss_mb",
)


def test_every_promised_key_has_a_value():
    found = evaluate_frames(TRAIN, TEST, MOVIES, config=CONFIG).as_json()
    for key in KEYS:
        value = found[key]
        assert isinstance(value, str) or math.isfinite(value), key
    assert 10 < found["peak_rss_mb"] < 8000
    assert (found["train_rows"], found["test_rows"]) == (len(TRAIN), len(TEST))


def test_the_order_of_the_files_rows_changes_no_figure():
    first = evaluate_frames(TRAIN, TEST, MOVIES, config=CONFIG)
    again = evaluate_frames(TRAIN[::-1], TEST[::-1], MOVIES[::-1], config=CONFIG)
    assert (first.rmse, first.catalogue_ndcg_at_10) == (again.rmse, again.catalogue_ndcg_at_10)


def test_neither_movies_nor_times_are_needed():
    # The shipped settings: without genres, 20 sweeps find the factors with some seeds only.
    bare = ["userId", "movieId", "rating"]
    assert evaluate_frames(TRAIN[bare], TEST[bare]).rmse < 0.65


def test_times_of_test_rows_do_not_reach_the_model():
    shifted = TEST.assign(timestamp=TEST["timestamp"].sample(frac=1.0, random_state=1).to_numpy() + 10**8)
    first = evaluate_frames(TRAIN, TEST, MOVIES, config=CONFIG)
    again = evaluate_frames(TRAIN, shifted, MOVIES, config=CONFIG)
    assert (first.rmse, first.coverage) == (again.rmse, again.coverage)


def test_a_pair_in_both_files_is_refused():
    with pytest.raises(LeakError, match="3 test ratings have their"):
        evaluate_frames(pd.concat([TRAIN, TEST.head(3)]), TEST, MOVIES, config=CONFIG)


def test_a_temporal_split_pools_the_files_and_keeps_the_share():
    found = evaluate_frames(TRAIN, TEST, MOVIES, temporal=True, config=CONFIG)
    assert found.split == "temporal"
    assert abs(found.test_rows / (found.train_rows + found.test_rows) - 0.3) < 0.01


def test_a_file_without_a_column_is_refused():
    with pytest.raises(RecommenderInputError, match="no column rating"):
        evaluate_frames(TRAIN.drop(columns="rating"), TEST)


def test_rows_planted_in_the_future_reach_no_earlier_model():
    # Every planted row is of the last day and turns taste upside down; models of earlier slices must not know.
    rows = WORLD.ratings
    last = int(rows.timestamps.max())
    some = np.random.default_rng(1).choice(len(rows), 300, replace=False)
    planted = Ratings.of(
        np.append(rows.users, rows.users[some] + 1000),
        np.append(rows.movies, rows.movies[some]),
        np.append(rows.ratings, 5.5 - rows.ratings[some]),
        np.append(rows.timestamps, np.full(300, last)),
    )
    split = next(iter(backtest(rows, WORLD.catalogue, slices=3, config=CONFIG)))[0]
    cut = int(split.test.timestamps.min())
    before = [
        fit_recommender(r.where(r.timestamps < cut), WORLD.catalogue, config=CONFIG, seed=1) for r in (rows, planted)
    ]
    assert before[0].to_bytes() == before[1].to_bytes()
    leaked = fit_recommender(planted, WORLD.catalogue, config=CONFIG, seed=1)
    assert leaked.to_bytes() != before[0].to_bytes()


def test_a_backtest_measures_each_slice_with_what_was_known_then():
    found = list(backtest(WORLD.ratings, WORLD.catalogue, slices=3, config=CONFIG))
    assert len(found) == 3
    for split, figures in found:
        assert split.train.timestamps.max() < split.test.timestamps.min()
        assert figures.rows == len(split.test)
        assert figures.rmse < 0.9


def test_users_held_out_have_figures_of_long_lists_beside_the_usual_ones():
    found = evaluate_unseen_users(WORLD.ratings.to_frame(), MOVIES, config=CONFIG).as_json()
    for key in (*KEYS, "recall_at_20", "recall_at_50", "ndcg_at_100"):
        value = found[key]
        assert isinstance(value, str) or math.isfinite(value), key
    assert found["split"] == "users held out"
    assert found["train_rows"] < len(WORLD.ratings)
