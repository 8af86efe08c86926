"""Diversity: franchise cap and popularity discount.

Here: franchises by titles, their cap in a ranking, the discount of popular movies. Not here: scores
(``ranking.ease_dual``, ``ranking.ease_sparse``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.movielens import title_without_year
from cinematch_assets.recommender.data import Floats, Ids
from cinematch_assets.recommender.ranking.histories import UserHistories

CANDIDATES_PER_PLACE = 3
"""Rankings are cut from this many times their length, so that a capped movie has a successor."""

PLACES_PER_INSTALMENT = 5
"""A franchise may fill one place in this many, and always one."""

MIN_RATED_SHARE = 1e-3
"""Below this share of raters movies count as equally unknown: without it, one rating would be a recommendation."""

_OTHER_NAME = re.compile(r"\(\s*(?:a\.k\.a\.\s*)?([^()]*)\)")
_ARTICLE = re.compile(r", (?:the|a|an)$")
_SUBTITLE = re.compile(r":| [-–] | and the | part | vol\.? | episode ")
_INSTALMENT = re.compile(r"[\s,]+(?:\d{1,2}|[ivx]+|part|episode|chapter|vol\.?)$")


def franchises(titles: Sequence[str]) -> Ids:
    """A number for each title, equal for instalments of one franchise: (m,) int32.

    "Star Wars: Episode IV - A New Hope (1977)" and "Star Wars: …" share "star wars"; a movie with two names belongs
    to the larger franchise. Only titles are compared, so "Aliens" is not in the franchise of "Alien".
    """
    stems = [sorted({stem for name in _names(title) if (stem := _stem(name))}) for title in titles]
    shared = Counter(stem for names in stems for stem in names)
    chosen = [max(names, key=lambda stem: (shared[stem], stem), default=f"#{row}") for row, names in enumerate(stems)]
    return np.unique(np.array(chosen, dtype=str), return_inverse=True)[1].astype(np.int32)


def popularity_discount(train: UserHistories, exponent: float) -> Floats:
    """The factor of each movie's scores, (M,): (share of users who rated it)^-exponent, at least MIN_RATED_SHARE."""
    counts = np.bincount(train.columns, minlength=len(train.movies))
    share = np.maximum(counts / max(1, len(train.users)), MIN_RATED_SHARE)
    return np.asarray(share**-exponent, np.float32)


def cap_franchises(columns: Ids, scores: Floats, franchise_of: NDArray[Any], k: int) -> tuple[Ids, Floats]:
    """Cut each row of (rows, n) to ``k``, skipping movies above their franchise's share while others are left.

    Skipped movies fill the places that are left over, so no ranking gets shorter. ``franchise_of`` is (M,); columns of
    −1 are empty slots.
    """
    cap = max(1, k // PLACES_PER_INSTALMENT)
    group = np.where(columns >= 0, franchise_of[columns], -1 - np.arange(columns.shape[1]))
    same = group[:, :, None] == group[:, None, :]
    earlier = np.tril(np.ones(same.shape[1:], np.bool_), -1)
    repeated = (same & earlier).sum(axis=2) >= cap
    precedence = np.where(columns < 0, 2, repeated)  # 0 within the cap, 1 skipped, 2 an empty slot
    order = np.argsort(precedence, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _names(title: str) -> list[str]:
    """The title without year and alternatives, and each alternative in brackets."""
    name = title_without_year(title)
    return [_OTHER_NAME.sub("", name), *_OTHER_NAME.findall(name)]


def _stem(name: str) -> str:
    """The name before its subtitle, without article and number, in lower case."""
    stem = _SUBTITLE.split(name.lower().strip())[0].strip()
    while (shorter := _INSTALMENT.sub("", _ARTICLE.sub("", stem)).strip()) != stem:
        stem = shorter
    return stem
