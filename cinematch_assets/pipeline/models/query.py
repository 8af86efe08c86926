"""Questions to the champion: what to recommend to somebody, what is like a movie.

Here: one person's answers with titles. Not here: everybody's lists (``recommending``).
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cinematch_assets.errors import CinematchError
from cinematch_assets.movielens import title_without_year
from cinematch_assets.pipeline.models.artifacts import load_champion, read_catalogue
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.data import Catalogue, Pairs
from cinematch_assets.recommender.protocol import TopN
from cinematch_assets.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A movie, with what the champion says of it; None where it says nothing.

    The rating is within ``stars`` ± ``half_width`` with a probability of 80 %; ``spread`` is its standard deviation.
    """

    movie: int
    title: str
    genres: str
    score: float
    stars: float | None = None
    spread: float | None = None
    half_width: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Suggestions, best first, and a sentence on what they rest on."""

    basis: str
    version: str
    suggestions: tuple[Suggestion, ...]


def recommend_for_user(platform: Platform, user: int, k: int = 10, *, available: bool = False) -> Answer:
    """Answer for one user; an unknown one gets the cold-start list and is told so."""
    version, model = load_champion(platform)
    catalogue = read_catalogue(platform)
    with platform.warehouse.connect() as connection:
        seen = np.array(
            [row[0] for row in connection.execute(statement("training/select_user_seen"), {"user": user})], np.int32
        )
    users = np.array([user], np.int32)
    candidates = _available(platform) if available else None
    top = model.recommend(users, k, seen=Pairs(np.full(len(seen), user, np.int32), seen), candidates=candidates)
    known = bool(model.predict(users, catalogue.movies[:1]).user_known[0])
    basis = f"user {user}, who has rated {len(seen):,} movies" if known else _stranger(user, len(seen))
    return Answer(basis, version.version, _suggestions(top, catalogue))


def recommend_for_likes(
    platform: Platform, likes: Sequence[str], k: int = 10, *, available: bool = False, stars: float = 5.0
) -> Answer:
    """Answer for somebody who is not in the data but names movies he likes, as titles or ids; nothing is retrained."""
    version, model = load_champion(platform)
    catalogue = read_catalogue(platform)
    liked = [(find_movie(catalogue, like), stars) for like in likes]
    candidates = _available(platform) if available else None
    top = model.fold_in(liked, k, candidates=candidates)
    names = ", ".join(catalogue.title_of(movie) for movie, _ in liked)
    return Answer(f"somebody who likes {names}", version.version, _suggestions(top, catalogue))


def similar_movies(platform: Platform, movie: str, k: int = 10) -> Answer:
    """Name the movies nearest to one, given by title or id."""
    version, model = load_champion(platform)
    catalogue = read_catalogue(platform)
    number = find_movie(catalogue, movie)
    nearest = model.similar(number, k)
    rows = np.searchsorted(catalogue.movies, nearest.movies)
    suggestions = tuple(
        Suggestion(int(found), catalogue.titles[row], catalogue.genres[row], float(score))
        for found, row, score in zip(nearest.movies, rows, nearest.scores, strict=True)
    )
    return Answer(f"movies like {catalogue.title_of(number)}", version.version, suggestions)


def find_movie(catalogue: Catalogue, name: str) -> int:
    """Return the movieId that an id or a title, with or without its year, means.

    Raises:
        CinematchError: no movie or several are called that; near titles are named.
    """
    if name.isdigit() and int(name) in set(catalogue.movies.tolist()):
        return int(name)
    wanted = name.casefold().strip()
    titles = [title.casefold() for title in catalogue.titles]
    bare = [title_without_year(title) for title in titles]
    found = [i for i, title in enumerate(titles) if title == wanted] or [i for i, t in enumerate(bare) if t == wanted]
    if len(found) == 1:
        return int(catalogue.movies[found[0]])
    if found:
        raise CinematchError(f"{name} may be {_or(catalogue.titles[i] for i in found)}: give the year or the movieId")
    near = [catalogue.titles[titles.index(t)] for t in difflib.get_close_matches(wanted, titles, n=3, cutoff=0.5)]
    raise CinematchError(f"no movie is called {name}" + (f"; did you mean {_or(near)}?" if near else ""))


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)


def _stranger(user: int, seen: int) -> str:
    if seen:
        return f"user {user}, new to the model, which was trained before his {seen:,} ratings: what most people like"
    return f"user {user}, who has rated nothing: what most people like"


def _available(platform: Platform) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    with platform.warehouse.connect() as connection:
        rows = connection.execute(statement("collection/select_available_movies")).fetchall()
    if not rows:
        raise CinematchError("the collection has no matched movies yet: materialize netflix_movies first")
    return np.array([movie for (movie,) in rows], np.int32)


def _suggestions(top: TopN, catalogue: Catalogue) -> tuple[Suggestion, ...]:
    rows = np.searchsorted(catalogue.movies, top.movies)
    unknown = [None] * len(top)
    spreads = unknown if top.spread is None else top.spread.tolist()
    half_widths = unknown if top.half_width is None else top.half_width.tolist()
    return tuple(
        Suggestion(int(movie), catalogue.titles[row], catalogue.genres[row], float(score), float(stars), *width)
        for movie, row, score, stars, *width in zip(
            top.movies, rows, top.scores, top.stars, spreads, half_widths, strict=True
        )
    )
