"""Titles of the collection and their movies in the catalogue, in the table of matches."""

import json

from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection, load_fetched
from cinematch_assets.pipeline.ingest.netflix_matches import match_titles
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.table_names import COLLECTION
from cinematch_assets_tests.support.platforms import drop, insert_movies, load_table, rows_of
from cinematch_assets_tests.support.real_data import find_data


def load_titles(platform: Platform, *titles: tuple[str, int]) -> None:
    movies = [{"title": title, "genre": "Drama", "rating": 8.0, "year": year} for title, year in titles]
    drop(platform, f"{COLLECTION}/all.json", json.dumps(movies))
    fetch_collection(platform)
    load_fetched(platform)


def test_titles_find_their_movie_and_ambiguous_ones_name_the_candidates(platform: Platform) -> None:
    insert_movies(platform, (1, "Matrix, The (1999)"), (2, "War of the Worlds (2005)"), (3, "War of the Worlds (2005)"))
    load_titles(platform, ("The Matrix", 1999), ("War of the Worlds", 2005), ("Heat", 1995))
    matched = match_titles(platform)
    assert (matched.titles, matched.matched, len(matched.ambiguous), matched.unmatched) == (3, 1, 1, 1)
    assert matched.as_metadata() == {
        "titles_matched": 1,
        "titles_ambiguous": 1,
        "titles_unmatched": 1,
        "share_matched": 0.33333,
    }
    assert matched.ambiguous_titles() == ["War of the Worlds, 2005: 2, 3"]
    query = """
        SELECT title, movieid, method, score, candidates
        FROM netflix.movie_matches JOIN netflix.movies USING (id) ORDER BY title
    """
    assert rows_of(platform, query) == [
        ("The Matrix", 1, "title", 1.0, []),
        ("War of the Worlds", None, "title", None, [2, 3]),
    ]


def test_a_new_movie_matches_a_title_that_had_none(platform: Platform) -> None:
    load_titles(platform, ("Heat", 1995))
    assert match_titles(platform).changed == 0
    insert_movies(platform, (4, "Heat (1995)"))
    assert match_titles(platform).changed == 1
    assert match_titles(platform).changed == 0
    assert rows_of(platform, "SELECT movieid FROM netflix.movie_matches") == [(4,)]


def test_without_titles_there_is_no_share(platform: Platform) -> None:
    matched = match_titles(platform)
    assert matched.share is None
    assert "share_matched" not in matched.as_metadata()


def test_a_real_collection_is_loaded_and_matched(platform: Platform) -> None:
    load_table(platform, "movies", (find_data("ml-latest-small") / "movies.csv").read_bytes())
    drop(platform, f"{COLLECTION}/vega_imdb.csv", (find_data("netflix-style") / "vega_imdb.csv").read_bytes())
    fetch_collection(platform)
    load_fetched(platform)
    matched = match_titles(platform)
    assert matched.titles > 2_700
    assert matched.share is not None
    assert matched.share > 0.8
