"""Each title of the collection and its movie in the catalogue.

Here: reading both sides, writing what was found. Not here: the rules (``matching``).
"""

from dataclasses import dataclass

import pandas as pd

from cinematch_assets.matching import Matching, match_collection
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.movies import read_movies
from cinematch_assets.warehouse.netflix import Match, collection_titles, write_matches
from cinematch_assets.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class Matched:
    """How many titles are one movie of the catalogue, how many might be several, how many are none.

    ``ambiguous`` has id, title, year, method and movieIds; ``changed`` counts the rows of ``netflix.movie_matches``
    that are not what they were.
    """

    titles: int
    matched: int
    ambiguous: pd.DataFrame
    unmatched: int
    changed: int

    @property
    def share(self) -> float | None:
        """Matched titles of all, None when there are none."""
        return self.matched / self.titles if self.titles else None


def match_titles(platform: Platform) -> Matched:
    """Match the whole collection anew: a title's movie may have come, or a second one that fits as well.

    One process at a time does so, and reads what all others have loaded until then.
    """
    with platform.warehouse.connect() as connection, connection.transaction():
        connection.execute(statement("files/lock_name"), {"name": "netflix.movie_matches"})
        titles = collection_titles(connection)
        movies, _ = read_movies(connection)
        found = match_collection(titles, movies)
        changed = write_matches(connection, _rows(found))
    return Matched(len(titles), len(found.matched), found.ambiguous, len(found.unmatched), changed)


def _rows(found: Matching) -> list[Match]:
    """One row a title that a rule found; those that fit several movies name them and no movie."""
    matched, several = found.matched, found.ambiguous
    return [
        *(Match(*row) for row in matched[["id", "movieId", "method", "score"]].itertuples(index=False, name=None)),
        *(
            Match(title, None, method, None, movies)
            for title, method, movies in several[["id", "method", "movieIds"]].itertuples(index=False, name=None)
        ),
    ]
