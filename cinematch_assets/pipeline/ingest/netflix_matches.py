"""Each title of the movie collection and its movie in the catalogue.

Here: matching all titles anew, and the counts. Not here: the rules (``matching``), the transaction
(``warehouse.netflix``).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cinematch_assets.logs import log_phase
from cinematch_assets.matching import Matching, match_collection
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.netflix import Match, update_matches

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MatchedTitles:
    """Counts of titles with one movie of the catalogue, with several possible ones, and with none.

    ``ambiguous`` has the columns id, title, year, method and movieIds; ``changed`` counts the rows of
    ``netflix.movie_matches`` that were written.
    """

    titles: int
    matched: int
    ambiguous: pd.DataFrame
    unmatched: int
    changed: int

    @property
    def share(self) -> float | None:
        """Share of the titles that are matched; None without titles."""
        return self.matched / self.titles if self.titles else None

    def as_metadata(self) -> dict[str, Any]:
        """Return the counts; ``share_matched`` is missing without titles."""
        counts = {
            "titles_matched": self.matched,
            "titles_ambiguous": len(self.ambiguous),
            "titles_unmatched": self.unmatched,
        }
        return counts if self.share is None else {**counts, "share_matched": round(self.share, 5)}

    def ambiguous_titles(self) -> list[str]:
        """Return a line for each ambiguous title, with the ids of the movies that fit."""
        columns = self.ambiguous[["title", "year", "movieIds"]]
        return [
            f"{title}, {year}: {', '.join(map(str, ids))}"
            for title, year, ids in columns.itertuples(index=False, name=None)
        ]


def match_titles(platform: Platform) -> MatchedTitles:
    """Match every title again, because a new movie may fit a title, or fit it as well as the one found before."""

    def match(collection: pd.DataFrame, movies: pd.DataFrame) -> tuple[Matching, Sequence[Match]]:
        matching = match_collection(collection, movies)
        return matching, _rows(matching)

    with log_phase(_LOG, "match titles"):
        matching, changed = platform.warehouse.run(update_matches, match)
    matched, ambiguous, unmatched = len(matching.matched), matching.ambiguous, len(matching.unmatched)
    return MatchedTitles(matched + len(ambiguous) + unmatched, matched, ambiguous, unmatched, changed)


def _rows(matching: Matching) -> list[Match]:
    """Return a row for each title that has a movie, or several possible ones."""
    matched, ambiguous = matching.matched, matching.ambiguous
    return [
        *(Match(*row) for row in matched[["id", "movieId", "method", "score"]].itertuples(index=False, name=None)),
        *(
            Match(title, None, method, None, movies)
            for title, method, movies in ambiguous[["id", "method", "movieIds"]].itertuples(index=False, name=None)
        ),
    ]
