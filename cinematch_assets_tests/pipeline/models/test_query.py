import numpy as np
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.query import find_movie
from cinematch_assets.recommender.data import Catalogue

CATALOGUE = Catalogue.of(
    np.array([6, 7, 8, 9]), ["Heat (1995)", "Sabrina (1954)", "Sabrina (1995)", "8 (2010)"], [""] * 4
)


@pytest.mark.parametrize(
    ("name", "movie"), [("6", 6), ("Heat (1995)", 6), ("heat", 6), (" HEAT ", 6), ("Sabrina (1954)", 7), ("8", 8)]
)
def test_a_movie_is_found_by_id_or_by_title_with_or_without_its_year(name: str, movie: int) -> None:
    assert find_movie(CATALOGUE, name) == movie


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Sabrina", r"Sabrina may be Sabrina \(1954\) or Sabrina \(1995\): give the year or the movieId"),
        ("Heet (1995)", r"no movie is called Heet \(1995\); did you mean Heat \(1995\) or"),
        ("Unheard of", "no movie is called Unheard of"),
    ],
)
def test_a_title_of_no_movie_or_of_several_is_refused_with_similar_titles(name: str, message: str) -> None:
    with pytest.raises(CinematchError, match=message):
        find_movie(CATALOGUE, name)
