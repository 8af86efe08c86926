"""Facts of the MovieLens format: how genres are listed, and where a title has its year.

Here: genres and years out of the text of one movie. Not here: columns and types of tables (``schemas``), titles of the
Netflix collection (``matching``), genre components (``features.genres``).
"""

import re
from collections.abc import Iterable

NO_GENRES = "(no genres listed)"
"""The genres column of a movie without genres."""

SEPARATOR = "|"
"""Between the genres of a movie."""

_OTHER_SEPARATORS = (";", ",")
_LIST = re.compile(r"\s*\[(.*)\]\s*", re.DOTALL)

FEATURES = 10
"""Genre components of a movie, as many as ``movies.pca_features`` holds."""

_YEAR = re.compile(r"\s*\((\d{4})([-–]\d{0,4})?\)\s*$")


def split_genres(genres: str | None) -> tuple[str, ...]:
    """Split ``Comedy|Drama`` into names without blanks around them, each once, in order.

    NULL, which a frame has as None or NaN, and ``NO_GENRES`` give none.
    """
    if not isinstance(genres, str):
        return ()
    names = (name.strip() for name in genres.split(SEPARATOR))
    return tuple(dict.fromkeys(name for name in names if name and name != NO_GENRES))


def other_separator(genres: Iterable[str | None]) -> str:
    """Return what separates the genres of a whole file when ``SEPARATOR`` does not; empty when nothing else does."""
    listed = [each for each in genres if isinstance(each, str)]
    if any(SEPARATOR in each for each in listed):
        return ""
    return next((other for other in _OTHER_SEPARATORS if any(other in each for each in listed)), "")


def with_separator(genres: str | None, other: str) -> str | None:
    """Return genres separated by ``other``, which may have blanks around it, as MovieLens writes them.

    A list as Python and JSON write it, ``['Comedy', 'Drama']``, loses its brackets and quotes.
    """
    if not isinstance(genres, str):
        return genres
    names = [part.strip() for part in genres.split(other)]
    if listed := _LIST.fullmatch(genres):
        names = [part.strip().strip("'\"") for part in listed[1].split(other)]
    return SEPARATOR.join(name for name in names if name)


def first_year(title: str) -> int | None:
    """The year that a title ends in, ``Heat (1995)``; of a range, ``Emergency! (1972-1979)``, the first."""
    found = _YEAR.search(title)
    return int(found[1]) if found else None


def release_year(title: str) -> int | None:
    """The year that a title ends in; None for a range as well, because a series has no one year of release."""
    found = _YEAR.search(title)
    return int(found[1]) if found and not found[2] else None


def title_without_year(title: str) -> str:
    """The title without the year, or range of years, that it ends in."""
    return _YEAR.sub("", title)
