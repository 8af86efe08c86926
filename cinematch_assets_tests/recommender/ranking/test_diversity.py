import numpy as np
import pytest

from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.ranking.diversity import (
    MIN_RATED_SHARE,
    cap_franchises,
    franchises,
    popularity_discount,
)
from cinematch_assets.recommender.ranking.histories import UserHistories


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Star Wars: Episode IV - A New Hope (1977)", "Star Wars: Episode V - The Empire Strikes Back (1980)"),
        ("Godfather, The (1972)", "Godfather: Part III, The (1990)"),
        ("Terminator, The (1984)", "Terminator 2: Judgment Day (1991)"),
        ("Toy Story (1995)", "Toy Story 3 (2010)"),
        ("Rocky (1976)", "Rocky VI (1986)"),
        ("Kill Bill: Vol. 1 (2003)", "Kill Bill: Vol. 2 (2004)"),
        ("Harry Potter and the Chamber of Secrets (2002)", "Harry Potter and the Goblet of Fire (2005)"),
        ("Star Trek II: The Wrath of Khan (1982)", "Star Trek: Generations (1994)"),
        (
            "Raiders of the Lost Ark (Indiana Jones and the Raiders of the Lost Ark) (1981)",
            "Indiana Jones and the Last Crusade (1989)",
        ),
    ],
)
def test_instalments_of_a_franchise_share_a_number(one: str, other: str) -> None:
    first, second, third = franchises([one, other, "Heat (1995)"])
    assert first == second != third


@pytest.mark.parametrize(
    ("one", "other"),
    [("Seven (1995)", "Heat (1995)"), ("12 Monkeys (1995)", "12 Angry Men (1957)"), ("318", "319"), ("(1995)", "")],
)
def test_movies_that_only_look_alike_have_numbers_of_their_own(one: str, other: str) -> None:
    assert len(set(franchises([one, other]).tolist())) == 2


def test_no_titles_give_no_numbers() -> None:
    assert franchises([]).tolist() == []


def test_instalments_above_the_cap_come_after_all_other_movies() -> None:
    columns = np.array([[0, 1, 2, 3, 4, 5, -1, -1]], np.int32)
    scores = -columns.astype(np.float32)
    listed, kept = cap_franchises(columns, scores, np.array([9, 9, 9, 9, 8, 7]), 5)
    assert listed.tolist() == [[0, 4, 5, 1, 2]]
    assert kept[0, :3].tolist() == [0.0, -4.0, -5.0]
    everything, _ = cap_franchises(columns, scores, np.array([9, 9, 9, 9, 8, 7]), 8)
    assert sorted(everything[0].tolist()) == [-1, -1, 0, 1, 2, 3, 4, 5]


def test_the_popularity_discount_falls_with_the_share_of_raters_and_ends_at_the_least_share() -> None:
    train = Ratings.of(np.array([1, 2, 1]), np.array([5, 5, 6]), np.array([4.0, 4.0, 4.0]))
    histories = UserHistories.of(train, np.array([5, 6, 7], np.int32))
    assert np.allclose(popularity_discount(histories, 0.5), [1.0, 0.5**-0.5, MIN_RATED_SHARE**-0.5])
    assert popularity_discount(histories, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_a_skipped_movie_comes_before_an_empty_slot() -> None:
    columns = np.array([[0, 1, 2, -1, -1]], np.int32)
    listed, _ = cap_franchises(columns, np.zeros((1, 5), np.float32), np.array([9, 9, 8]), 3)
    assert listed.tolist() == [[0, 2, 1]]
