"""Ask the champion: recommendations for one user, movies similar to one.

Here: answers with titles. Not here: the recommendations of all users (``publish``).
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.matching import title_parts
from cinematch_assets.movielens import title_without_year
from cinematch_assets.pipeline.models.artifacts import load_champion, read_catalogue
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.recommender.data import Catalogue, Pairs
from cinematch_assets.recommender.protocol import Reasons, TopN
from cinematch_assets.warehouse.netflix import read_available_movies
from cinematch_assets.warehouse.training_data import read_seen_movies

MAX_DIGITS = 10
"""Of an id, which Postgres' INTEGER bounds."""
_NO_USER = 0
"""What a userId is for the model that no rating can have: ids are above 0."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A movie that the user rated, and its ``contribution`` to the EASE score of the suggestion."""

    movie: int
    title: str
    contribution: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A movie with the champion's figures; None where the method gives none.

    ``rank`` counts from 1, by ``score``. ``because`` are up to three movies of the user's history that contributed most
    to the score, the first the most; a user without ratings has none. ``predicted_rating`` and its predictive standard
    deviation ``std`` are in stars, and ``predicted_rating`` ± ``half_width`` is an 80 % interval.
    """

    rank: int
    movie: int
    title: str
    genres: str
    score: float
    predicted_rating: float | None = None
    std: float | None = None
    half_width: float | None = None
    because: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Suggestions, best first; ``basis`` says what they are based on, ``version`` by which model."""

    basis: str
    version: str
    suggestions: tuple[Suggestion, ...]


def recommend_for_user(platform: Platform, user: int, k: int = 10, *, available: bool = False) -> Answer:
    """Recommend to one user; without ratings in training they get the cold-start answer, and ``basis`` says so."""
    version, model = load_champion(platform)
    catalogue = read_catalogue(platform)
    number = user if 0 < user <= np.iinfo(np.int32).max else _NO_USER
    seen = platform.warehouse.run(read_seen_movies, number)
    users = np.array([number], np.int32)
    candidates = _available(platform) if available else None
    top = model.recommend(users, k, seen=Pairs(np.full(len(seen), number, np.int32), seen), candidates=candidates)
    known = bool(model.predict(users, catalogue.movies[:1]).user_known[0])
    basis = f"user {user}, who has rated {count(len(seen), 'movie')}" if known else _cold_start(user, len(seen))
    return Answer(basis, version.version, _suggestions(top, model.explain(top), catalogue))


def recommend_for_likes(
    platform: Platform, likes: Sequence[str], k: int = 10, *, available: bool = False, rating: float = 5.0
) -> Answer:
    """Recommend to a user who is not in the data, from movies they like by title or id; nothing is retrained."""
    version, model = load_champion(platform)
    catalogue = read_catalogue(platform)
    liked = [(find_movie(catalogue, like), rating) for like in likes]
    candidates = _available(platform) if available else None
    top = model.recommend_for_ratings(liked, k, candidates=candidates)
    names = ", ".join(catalogue.title_of(movie) for movie, _ in liked)
    reasons = model.explain_for_ratings(liked, top)
    return Answer(f"a user who likes {names}", version.version, _suggestions(top, reasons, catalogue))


def similar_movies(platform: Platform, movie: str, k: int = 10) -> Answer:
    """Return the movies most similar to one, given by title or id."""
    version, model = load_champion(platform)
    catalogue = read_catalogue(platform)
    number = find_movie(catalogue, movie)
    found = model.similar(number, k)
    rows = np.searchsorted(catalogue.movies, found.movies)
    suggestions = tuple(
        Suggestion(rank, int(similar), catalogue.titles[row], catalogue.genres[row], float(score))
        for rank, (similar, row, score) in enumerate(zip(found.movies, rows, found.scores, strict=True), start=1)
    )
    return Answer(f"movies similar to {catalogue.title_of(number)}", version.version, suggestions)


def find_movie(catalogue: Catalogue, name: str) -> int:
    """Return the movieId that an id or a title means; case, accents, the place of its article and its year may differ.

    Raises:
        CinematchError: no movie or several are called that; near titles are named.
    """
    if name.isdecimal() and len(name) <= MAX_DIGITS and int(name) in set(catalogue.movies.tolist()):
        return int(name)
    found = _rows_called(catalogue, name)
    if len(found) == 1:
        return int(catalogue.movies[found[0]])
    if found:
        raise CinematchError(f"{name} may be {_or(catalogue.titles[i] for i in found)}: give the year or the movieId")
    near = _near_titles(catalogue, name)
    raise CinematchError(f"no movie is called {name}" + (f"; did you mean {_or(near)}?" if near else ""))


def _rows_called(catalogue: Catalogue, name: str) -> list[int]:
    """Return the rows of the movies that are called so, by the strictest rule that finds any.

    A title as it is written, then without its year, then as people say it ("the godfather"), then by one of the names
    in its brackets, then without its article ("godfather"). A year in ``name`` has to be the movie's.
    """
    wanted = name.casefold().strip()
    for bare in (str, title_without_year):
        if found := [row for row, title in enumerate(catalogue.titles) if bare(title).casefold() == wanted]:
            return found
    asked = title_parts(name)
    parts = ((row, title_parts(title)) for row, title in enumerate(catalogue.titles))
    same_year = {row: set(each.keyed()) for row, each in parts if asked.year is None or each.year == asked.year}
    keys = dict(asked.keyed())
    for asked_kind, kind in (("full", "full"), ("full", "alternative"), ("bare", "bare"), ("bare", "bare alternative")):
        if found := [row for row, each in same_year.items() if (kind, keys.get(asked_kind)) in each]:
            return found
    return []


def _near_titles(catalogue: Catalogue, name: str, n: int = 3) -> list[str]:
    said = {title_parts(title).name.casefold(): title for title in catalogue.titles}
    titles = said | {title.casefold(): title for title in catalogue.titles}
    near = difflib.get_close_matches(name.casefold().strip(), titles, n=2 * n, cutoff=0.5)
    return list(dict.fromkeys(titles[each] for each in near))[:n]


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)


def _cold_start(user: int, seen: int) -> str:
    reason = f"whose {count(seen, 'rating')} came after the model was trained" if seen else "who has no ratings"
    return f"user {user}, {reason}: cold start, the movies most users like"


def _available(platform: Platform) -> NDArray[np.int32]:
    movies = platform.warehouse.run(read_available_movies)
    if len(movies) == 0:
        raise CinematchError("the collection has no matched movies yet: materialize netflix_movies first")
    return movies


def _suggestions(top: TopN, reasons: Reasons, catalogue: Catalogue) -> tuple[Suggestion, ...]:
    rows = np.searchsorted(catalogue.movies, top.movies)
    return tuple(
        Suggestion(
            rank=int(top.ranks[at]),
            movie=int(top.movies[at]),
            title=catalogue.titles[row],
            genres=catalogue.genres[row],
            score=float(top.scores[at]),
            predicted_rating=float(top.predicted_ratings[at]),
            std=None if top.std is None else float(top.std[at]),
            half_width=None if top.half_width is None else float(top.half_width[at]),
            because=tuple(
                Reason(int(movie), catalogue.title_of(movie), float(contribution))
                for movie, contribution in zip(reasons.movies[at], reasons.contributions[at], strict=True)
                if movie >= 0
            ),
        )
        for at, row in enumerate(rows)
    )
