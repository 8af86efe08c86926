"""Lists that are not one movie in ten instalments, nor what everybody has been told about already.

Here: which movies belong together by their titles, how far popularity is held back, and the cap on a list. Not here:
scores (``dual``, ``sparse``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Floats, Ids, Ratings

BEFORE_THE_CAP = 3
"""Lists are cut from this many times their length, so that a movie that is held back has a successor."""

KEPT_SHARE = 5
"""One place in so many may go to a franchise, and always one."""

LEAST_SHARE = 1e-3
"""Below this share of raters, movies count as equally unknown: without it, one rating would be a recommendation."""

_YEAR = re.compile(r"\s*\(\d{4}(?:[-–]\d{0,4})?\)\s*$")
_OTHER_NAME = re.compile(r"\(\s*(?:a\.k\.a\.\s*)?([^()]*)\)")
_ARTICLE = re.compile(r", (?:the|a|an)$")
_SUBTITLE = re.compile(r":| [-–] | and the | part | vol\.? | episode ")
_INSTALMENT = re.compile(r"[\s,]+(?:\d{1,2}|[ivx]+|part|episode|chapter|vol\.?)$")


def franchises(titles: Sequence[str]) -> Ids:
    """A number for each title, equal for instalments of one franchise: (m,) int32.

    "Star Wars: Episode IV - A New Hope (1977)" and "Star Wars: …" share "star wars"; a movie with two names belongs
    where more movies are. Titles are all we know, so "Aliens" stays apart from "Alien".
    """
    stems = [sorted({stem for name in _names(title) if (stem := _stem(name))}) for title in titles]
    shared = Counter(stem for names in stems for stem in names)
    chosen = [max(names, key=lambda stem: (shared[stem], stem), default=f"#{row}") for row, names in enumerate(stems)]
    return np.unique(np.array(chosen, dtype=str), return_inverse=True)[1].astype(np.int32)


def lift(train: Ratings, movies: Ids, exponent: float) -> Floats:
    """What scores are multiplied by, (M,): (share of users who rated the movie)^-exponent, at least ``LEAST_SHARE``."""
    counts = np.bincount(np.searchsorted(movies, train.movies), minlength=len(movies))
    share = np.maximum(counts / max(1, len(np.unique(train.users))), LEAST_SHARE)
    return np.asarray(share**-exponent, np.float32)


def without_repetition(columns: Ids, scores: Floats, groups: NDArray[Any], k: int) -> tuple[Ids, Floats]:
    """The first ``k`` of each row of (rows, pool), skipping a group's movies beyond its share while others are left.

    What was skipped fills the places that nothing else does, so no list gets shorter. Columns of −1 are empty places.
    """
    cap = max(1, k // KEPT_SHARE)
    group = np.where(columns >= 0, groups[columns], -1 - np.arange(columns.shape[1]))
    same = group[:, :, None] == group[:, None, :]
    earlier = np.tril(np.ones(same.shape[1:], np.bool_), -1)
    repeated = (same & earlier).sum(axis=2) >= cap
    last = np.where(columns < 0, 2, repeated)  # empty places come after all movies, skipped ones too
    order = np.argsort(last, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _names(title: str) -> list[str]:
    bare = _YEAR.sub("", title)
    return [_OTHER_NAME.sub("", bare), *_OTHER_NAME.findall(bare)]


def _stem(name: str) -> str:
    stem = _SUBTITLE.split(name.lower().strip())[0].strip()
    while (shorter := _INSTALMENT.sub("", _ARTICLE.sub("", stem)).strip()) != stem:
        stem = shorter
    return stem
