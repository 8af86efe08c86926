import pandas as pd
import pytest

from cinematch_assets.matching import article_first, bare_key, fold, key, match_collection, title_parts
from cinematch_assets_tests.support.real_data import find_data

CATALOGUE = {
    1: "Matrix, The (1999)",
    2: "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    3: "Boot, Das (Boat, The) (1981)",
    4: "Die Hard (1988)",
    5: "Hard (1988)",
    6: "Spider-Man (2002)",
    7: "Lovely & Amazing (2001)",
    8: "Crash (1996)",
    9: "Crash (2004)",
    10: "War of the Worlds (2005)",
    11: "War of the Worlds (2005)",
    12: "Thirteen Conversations About One Thing (a.k.a. 13 Conversations) (2001)",
    13: "Borat: Cultural Learnings of America (2006)",
    14: "Rocky II (1979)",
    15: "Uccello dalle piume di cristallo, L' (1970)",
    16: "Babylon 5",
    17: "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001) ",
    18: "9 1/2 Weeks (1986)",
    19: "千と千尋の神隠し (2001)",
    20: "Twins (1988)",
}
MOVIES = pd.DataFrame({"movieId": list(CATALOGUE), "title": list(CATALOGUE.values())})


def match(*titles):
    rows = [(number, title, year) for number, (title, year) in enumerate(titles)]
    return match_collection(pd.DataFrame(rows, columns=["id", "title", "year"]), MOVIES)


@pytest.mark.parametrize(
    ("title", "year", "movie", "method"),
    [
        ("The Matrix", 1999, 1, "title"),
        ("Matrix, The", 1999, 1, "title"),
        ("the MATRIX (1999)", None, 1, "title"),
        ("Matrix", 1999, 1, "title, loosely"),
        ("The Matrix", 1998, 1, "title, a year off"),
        ("La Cité des Enfants Perdus", 1995, 2, "alternative title"),
        ("Cite des enfants perdus", 1996, None, None),
        ("La cite des enfants perdus", 1996, 2, "alternative title, a year off"),
        ("Das Boot", 1981, 3, "title"),
        ("The Boat", 1981, 3, "alternative title"),
        ("Boat", 1981, 3, "alternative title, loosely"),
        ("Die Hard", 1988, 4, "title"),
        ("Hard", 1988, 5, "title"),
        ("Spiderman", 2002, 6, "title, loosely"),
        ("Lovely and Amazing", 2001, 7, "title"),
        ("Crash", 2005, 9, "title, a year off"),
        ("13 Conversations", 2001, 12, "alternative title"),
        ("Borat", 2006, 13, "without its subtitle"),
        ("Borat", 2007, None, None),
        ("Matrix: The Beginning", 1999, 1, "without our subtitle"),
        ("Rocky 2", 1979, 14, "title"),
        ("Rocky", 1979, None, None),
        ("L'uccello dalle piume di cristallo", 1970, 15, "title"),
        ("Babylon 5", None, 16, "title, no year given"),
        ("Babylon 5", 1994, None, None),
        ("Le fabuleux destin d'Amelie Poulain", 2001, 17, "alternative title"),
        ("Nine 1/2 Weeks", 1986, 18, "title, loosely"),
        ("千と千尋の神隠し", 2001, 19, "title"),
        ("???", 2001, None, None),
        ("The Matrix", 2001, None, None),
        ("Twins", float("nan"), 20, "title, no year given"),
    ],
)
def test_a_title_is_matched_by_the_strictest_rule_that_fits(title, year, movie, method):
    found = match((title, year)).matched
    assert found[["movieId", "method"]].to_numpy().tolist() == ([] if movie is None else [[movie, method]])


@pytest.mark.parametrize(("title", "year", "movies"), [("War of the Worlds", 2005, (10, 11)), ("Crash", None, (8, 9))])
def test_a_title_that_fits_two_movies_is_listed_with_both(title, year, movies):
    result = match((title, year), ("The Matrix", 1999))
    assert result.ambiguous[["id", "title", "movieIds"]].to_numpy().tolist() == [[0, title, movies]]
    assert result.matched["id"].tolist() == [1]


def test_each_title_is_in_one_of_the_three_frames():
    result = match(("The Matrix", 1999), ("Crash", None), ("Nowhere to Be Found", 2000))
    assert [list(part["id"]) for part in (result.matched, result.ambiguous, result.unmatched)] == [[0], [1], [2]]
    assert result.unmatched[["title", "year"]].to_numpy().tolist() == [["Nowhere to Be Found", 2000]]


def test_stricter_rules_have_higher_scores():
    scores = match(("The Matrix", 1999), ("Matrix", 1999), ("The Matrix", 2000), ("Borat", 2006)).matched["score"]
    assert scores.is_monotonic_decreasing
    assert scores.between(0, 1).all()


def test_an_empty_collection_gives_empty_frames():
    result = match()
    assert [len(part) for part in (result.matched, result.ambiguous, result.unmatched)] == [0, 0, 0]


def test_a_title_is_split_into_name_alternatives_and_year():
    parts = title_parts("Shining, The (a.k.a. Stephen King's Shining) (Doc (I)/Other) (1980)")
    assert parts.name == "The Shining"
    assert parts.alternatives == ("Stephen King's Shining", "Doc (I)/Other", "Doc (I)", "Other")
    assert parts.year == 1980


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Boum 2, La", "La Boum 2"),
        ("Carabiniers, Les", "Les Carabiniers"),
        ("Escadron, L'", "L'Escadron"),
        ("Good, the Bad", "Good, the Bad"),
        ("Paris, Texas", "Paris, Texas"),
    ],
)
def test_articles_move_to_the_front(title, expected):
    assert article_first(title) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ønsker & Ærlighed", "onsker and aerlighed"),
        ("Ri¢hie Ri¢h", "richie rich"),
        ("WALL·E", "wall e"),
        ("Don't Look Now...", "dont look now"),
        ("ﬁlm №", "film no"),
        ("", ""),
    ],
)
def test_folding_leaves_plain_lower_case_words(text, expected):
    assert fold(text) == expected


def test_a_title_of_signs_alone_keeps_them():
    assert (key("!!!"), bare_key("!!!"), bare_key("The")) == ("!!!", "!!!", "the")


def test_a_collection_of_real_titles_is_matched_to_movielens():
    collection = pd.read_csv(find_data("netflix-style") / "vega_imdb.csv").rename_axis("id").reset_index()
    result = match_collection(collection, pd.read_csv(find_data("ml-latest-small") / "movies.csv"))
    assert len(result.matched) + len(result.ambiguous) + len(result.unmatched) == len(collection) == 2_745
    assert len(result.matched) >= 2_300
    assert sorted(result.ambiguous["title"]) == ["Confessions of a Dangerous Mind", "Emma", "The War of the Worlds"]
    assert result.matched["movieId"].is_unique
