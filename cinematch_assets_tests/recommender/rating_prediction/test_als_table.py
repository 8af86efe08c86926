import logging
import re

import numpy as np
import pytest

from cinematch_assets.recommender.config import AlsConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.rating_prediction.als_table import fit_als_table
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.splits import Split, random_split
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic

CONFIG = AlsConfig(factors=16)


def fit(train: Ratings, catalogue: Catalogue, config: AlsConfig = CONFIG) -> RatingTable:
    return fit_als_table(train, catalogue, config, np.random.default_rng(0))


@pytest.fixture(scope="module")
def catalogue_and_split() -> tuple[Catalogue, Split]:
    ratings, movies, _ = make_synthetic(SyntheticSpec(users=4_000, movies=1_500, ratings=150_000))
    return Catalogue.from_frame(movies), random_split(Ratings.from_frame(ratings), 0.3, 1)


def test_four_of_five_new_ratings_are_within_the_interval_with_few_ratings_and_with_many(
    catalogue_and_split: tuple[Catalogue, Split],
) -> None:
    catalogue, split = catalogue_and_split
    found = fit(split.train, catalogue).predict(split.test.users, split.test.movies)
    inside = np.abs(found.ratings - split.test.ratings) <= found.half_width
    of_user = np.bincount(split.train.users)[split.test.users]
    of_movie = np.bincount(split.train.movies, minlength=split.test.movies.max() + 1)[split.test.movies]
    slices = inside, inside[of_user < 15], inside[(of_movie > 0) & (of_movie < 10)], inside[of_movie > 200]
    assert min(len(part) for part in slices) > 500
    for part in slices:
        assert 0.76 <= part.mean() <= 0.84


def test_errors_on_training_rows_are_smaller_than_the_predicted_std(
    catalogue_and_split: tuple[Catalogue, Split],
) -> None:
    catalogue, split = catalogue_and_split
    table = fit(split.train, catalogue)
    known, unknown = (table.predict(rows.users, rows.movies) for rows in (split.train, split.test))
    inside = np.abs(known.ratings - split.train.ratings) <= known.half_width
    assert inside.mean() > 0.82
    assert unknown.std.mean() == pytest.approx(np.std(unknown.ratings - split.test.ratings), rel=0.03)


def test_the_variance_is_larger_with_few_ratings(catalogue_and_split: tuple[Catalogue, Split]) -> None:
    catalogue, split = catalogue_and_split
    table = fit(split.train, catalogue)
    movies = np.bincount(table.movie_rows(split.train.movies), minlength=len(table.movies) + 1)
    rated = np.flatnonzero(table.movie_rated)
    order = rated[np.argsort(movies[rated])]
    assert table.movie_variance[order[0]] > 2 * table.movie_variance[order[-1]]
    users = np.bincount(table.user_rows(split.train.users))
    few, many = users <= np.quantile(users, 0.1), users >= np.quantile(users, 0.9)
    assert table.user_variance[:-1][few].mean() > table.user_variance[:-1][many].mean()


@pytest.mark.parametrize(("rows", "sweeps"), [(19, 8), (150_000, 1)], ids=["too few rows", "a single sweep"])
def test_where_nothing_can_be_held_out_no_std_is_predicted(
    catalogue_and_split: tuple[Catalogue, Split], rows: int, sweeps: int
) -> None:
    catalogue, split = catalogue_and_split
    train = split.train.where(np.arange(len(split.train)) < rows)
    found = fit(train, catalogue, AlsConfig(factors=2, sweeps=sweeps)).predict(train.users[:3], train.movies[:3])
    assert (found.std, found.half_width) == (None, None)


def test_every_movie_of_the_catalogue_has_a_row(catalogue_and_split: tuple[Catalogue, Split]) -> None:
    catalogue, split = catalogue_and_split
    train = split.train.where(split.train.movies > catalogue.movies[20])
    table = fit(train, catalogue, AlsConfig(factors=2, sweeps=2))
    assert table.movies.tolist() == catalogue.movies.tolist()
    assert not table.movie_rated[:20].any()


def test_the_fit_is_logged_with_its_size_and_time(
    catalogue_and_split: tuple[Catalogue, Split], caplog: pytest.LogCaptureFixture
) -> None:
    catalogue, split = catalogue_and_split
    with caplog.at_level(logging.INFO):
        fit(split.train, catalogue, AlsConfig(factors=2, sweeps=2))
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "ALS on 105000 ratings, 2 factors, 2 sweeps"
    assert re.fullmatch(r"ALS on 105000 ratings, 2 factors, 2 sweeps: done in \d+\.\d s", messages[1])
