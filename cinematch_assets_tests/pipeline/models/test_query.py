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


FAMOUS = Catalogue.of(
    np.arange(1, 8),
    [
        "Godfather, The (1972)",
        "Godfather: Part II, The (1974)",
        "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
        "Dracula (Bram Stoker's Dracula) (1992)",
        "Dracula (1931)",
        "WALL·E (2008)",
        "2001: A Space Odyssey (1968)",
    ],
    [""] * 7,
)


@pytest.mark.parametrize(
    ("name", "movie"),
    [
        ("the godfather", 1),
        ("The Godfather (1972)", 1),
        ("godfather", 1),
        ("Godfather, The", 1),
        ("the godfather: part 2", 2),
        ("la cite des enfants perdus", 3),
        ("the city of lost children", 3),
        ("dracula (1931)", 5),
        ("dracula (1992)", 4),
        ("bram stokers dracula", 4),
        ("wall-e", 6),
        ("2001: a space odyssey", 7),
    ],
)
def test_a_title_is_found_as_people_say_it(name: str, movie: int) -> None:
    assert find_movie(FAMOUS, name) == movie


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("The Godfather (1973)", "no movie is called"),
        ("the godfathre", r"did you mean Godfather, The \(1972\)"),
    ],
)
def test_a_title_that_is_not_one_movie_s_is_refused_as_people_say_it(name: str, message: str) -> None:
    with pytest.raises(CinematchError, match=message):
        find_movie(FAMOUS, name)
