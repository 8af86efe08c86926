import numpy as np
import pandas as pd
import pytest

from cinematch_assets.recommender.data import Catalogue, Ratings, RecommenderInputError


def ratings(rows: list[tuple[int, int, float, int]]) -> Ratings:
    return Ratings.from_frame(pd.DataFrame(rows, columns=["userId", "movieId", "rating", "timestamp"]))


def test_the_order_of_rows_leaves_no_trace():
    rows = [(2, 1, 3.0, 5), (1, 2, 4.0, 9), (1, 1, 2.5, 9), (1, 2, 4.5, 9)]
    forward, backward = ratings(rows), ratings(rows[::-1])
    for name in ("users", "movies", "ratings", "timestamps"):
        np.testing.assert_array_equal(getattr(forward, name), getattr(backward, name))
    assert forward.users.tolist() == [1, 1, 1, 2]


def test_the_newest_rating_of_a_movie_counts():
    newest = ratings([(1, 7, 2.0, 10), (1, 7, 4.0, 30), (1, 7, 3.0, 20), (2, 7, 1.0, 5)]).latest()
    assert newest.to_frame()["rating"].tolist() == [4.0, 1.0]


def test_latest_of_nothing_is_nothing():
    assert len(Ratings.of(*(np.zeros(0),) * 3).latest()) == 0


def test_ratings_without_times_have_time_zero():
    assert Ratings.from_frame(pd.DataFrame({"userId": [1], "movieId": [2], "rating": [3.0]})).timestamps.tolist() == [0]


def test_a_missing_column_is_named():
    with pytest.raises(RecommenderInputError, match="no column movieId"):
        Ratings.from_frame(pd.DataFrame({"userId": [1], "rating": [3.0]}))


def test_a_rating_that_is_no_number_is_refused():
    with pytest.raises(RecommenderInputError, match=r"not a finite number: 1 rating$"):
        Ratings.of(np.array([1, 2]), np.array([1, 2]), np.array([3.0, np.nan]))


def test_arrays_of_different_length_are_refused():
    with pytest.raises(RecommenderInputError, match="differ in length"):
        Ratings.of(np.array([1, 2]), np.array([1]), np.array([3.0, 4.0]))


def test_a_catalogue_is_sorted_with_all_its_columns():
    catalogue = Catalogue.of(np.array([30, 10]), ["C", "A"], ["Drama", ""], np.array([[3.0] * 10, [1.0] * 10]))
    assert (catalogue.movies.tolist(), catalogue.titles, catalogue.genres) == ([10, 30], ("A", "C"), ("", "Drama"))
    assert catalogue.features[:, 0].tolist() == [1.0, 3.0]


def test_a_movie_is_in_the_catalogue_once():
    with pytest.raises(RecommenderInputError, match="movie 10 is in the catalogue more than once"):
        Catalogue.of(np.array([10, 10]), ["A", "B"], ["", ""])


def test_no_genres_listed_is_no_genre():
    catalogue = Catalogue.of(np.array([1, 2]), ["A", "B"], ["(no genres listed)", "Drama|War"])
    assert [catalogue.genre_names(row) for row in (0, 1)] == [(), ("Drama", "War")]


def test_a_title_is_found_by_id_or_missed_by_name():
    catalogue = Catalogue.of(np.array([1]), ["Heat (1995)"], [""])
    assert catalogue.title_of(1) == "Heat (1995)"
    with pytest.raises(RecommenderInputError, match="movie 2 is not in the catalogue"):
        catalogue.title_of(2)


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_ordered_by_all_four_columns_where_pairs_come_more_than_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.integers(0, 200))
    users, movies = (random.integers(-5, 6, rows).astype(np.int32) for _ in range(2))
    ratings, times = random.integers(1, 4, rows) / 2, random.integers(0, 3, rows)
    found = Ratings.of(users, movies, ratings, times)
    order = np.lexsort((ratings, times, movies, users))
    for column, given in ((found.users, users), (found.movies, movies), (found.timestamps, times)):
        np.testing.assert_array_equal(column, given[order])
    np.testing.assert_array_equal(found.ratings, ratings[order].astype(np.float32))
