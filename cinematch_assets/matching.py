"""Match titles of the Netflix collection to movies of the catalogue.

Here: titles reduced to keys, and the rules by which two keys are the same movie. Not here: reading titles and storing
matches (``pipeline.ingest.netflix_matches``), the year in a MovieLens title (``movielens``).

MovieLens writes "Matrix, The (1999)", "City of Lost Children, The (Cité des enfants perdus, La) (1995)"; a collection
writes "The Matrix" with 1999 in a field of its own. A title becomes keys: folded to plain lower-case words, with its
article in front, without it, its alternatives in brackets, its part before a subtitle. A rule compares one kind of
key with another and requires a distance between the years. The rules are tried from the strictest to the loosest, each
on titles that no rule before it has matched; two movies that fit equally well leave the title unmatched and listed as
ambiguous.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from cinematch_assets.movielens import first_year, title_without_year

BRACKETS = re.compile(r"\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
SUBTITLE = re.compile(r"\s*(?::|\s[-–—]\s)\s*")
ALSO_KNOWN_AS = re.compile(r"^\s*a\.?\s?k\.?\s?a\.?:?\s+", re.IGNORECASE)
APOSTROPHES = re.compile(r"['’‘´`ʻ]")  # noqa: RUF001
NON_WORD = re.compile(r"[^0-9a-z]+")

LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "&": " and "}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i", "$": "s", "¢": "c"}
)
AND = {"et", "und", "y"}
ROMAN = ("ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMERALS = {roman: str(number) for number, roman in enumerate(ROMAN, start=2)}
SAME_WORDS = {word: str(number) for number, word in enumerate(NUMBERS, start=1)} | {
    "doctor": "dr",
    "mister": "mr",
    "volume": "vol",
    "versus": "vs",
    "part": "",
}

MOVED_ARTICLE = re.compile(r"^(.+), ([^\s,]{1,4}['’]?)$")
ARTICLES = {
    *("the", "a", "an"),
    *("le", "la", "les", "l", "un", "une", "des"),
    *("el", "los", "las", "lo", "una", "unos", "unas"),
    *("il", "i", "gli", "uno"),
    *("der", "die", "das", "den", "dem", "ein", "eine"),
    *("o", "os", "as", "um", "uma"),
    *("de", "het", "een", "det", "en", "ett", "et"),
    *("els", "az"),
}
PLAIN_ARTICLES = {"the", "a", "an", "le", "la", "les", "el", "los", "las", "il", "gli", "der", "das", "het"}
"""Articles that are hardly ever the first word of a title for another reason, as ``die`` is in Die Hard."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Two titles are one movie if a key of the collection's equals a key of the movie's, ``years_apart`` exactly."""

    method: str
    collection_key: str
    movie_key: str
    years_apart: int
    score: float


RULES = (
    Rule("title", "full", "full", 0, 1.0),
    Rule("title, loosely", "bare", "bare", 0, 0.97),
    Rule("alternative title", "full", "alternative", 0, 0.95),
    Rule("alternative title, loosely", "bare", "bare alternative", 0, 0.93),
    Rule("title, a year off", "full", "full", 1, 0.92),
    Rule("title, loosely, a year off", "bare", "bare", 1, 0.90),
    Rule("alternative title, a year off", "full", "alternative", 1, 0.88),
    Rule("without its subtitle", "bare", "short", 0, 0.85),
    Rule("without our subtitle", "short", "bare", 0, 0.85),
)
UNDATED = (
    Rule("title, no year given", "full", "full", 0, 0.75),
    Rule("title, loosely, no year given", "bare", "bare", 0, 0.70),
)


@dataclass(frozen=True, slots=True)
class Matching:
    """Each title of the collection in one of three frames.

    ``matched``: id, movieId, method, score (0 to 1: how strict the rule is). ``ambiguous``: id, title, year, method and
    the movieIds that fit equally well, as a tuple. ``unmatched``: id, title, year of titles without any fitting movie.
    """

    matched: pd.DataFrame
    ambiguous: pd.DataFrame
    unmatched: pd.DataFrame


def match_collection(collection: pd.DataFrame, movies: pd.DataFrame) -> Matching:
    """Match ``collection`` (id, title, year; the year may be missing) to ``movies`` (movieId, title with its year).

    Scores order the rules; they are no probabilities. A title without a year is matched only if exactly one movie has
    it, in any year.
    """
    index = _index(zip(movies["movieId"].tolist(), movies["title"].tolist(), strict=True))
    matched, ambiguous, unmatched = [], [], []
    for row_id, title, year in _rows(collection):
        rule, found = _find(title, year, index)
        if rule is None:
            unmatched.append((row_id, title, year))
        elif len(found) == 1:
            matched.append((row_id, found[0], rule.method, rule.score))
        else:
            ambiguous.append((row_id, title, year, rule.method, found))
    return Matching(
        pd.DataFrame(matched, columns=["id", "movieId", "method", "score"]),
        pd.DataFrame(ambiguous, columns=["id", "title", "year", "method", "movieIds"]),
        pd.DataFrame(unmatched, columns=["id", "title", "year"]),
    )


def _rows(collection: pd.DataFrame) -> Iterator[tuple[object, str, int | None]]:
    for row_id, title, year in zip(collection["id"], collection["title"], collection["year"], strict=True):
        yield row_id, title, None if pd.isna(year) else int(year)


Index = dict[tuple[str, str], dict[int, int | None]]
"""Kind of key and key → the movies that have it, each with its year."""


def _index(movies: Iterable[tuple[int, str]]) -> Index:
    index: Index = defaultdict(dict)
    for movie, title in movies:
        parts = title_parts(title)
        for kind, text in parts.keyed():
            index[kind, text][movie] = parts.year
    return index


def _find(title: str, year: int | None, index: Index) -> tuple[Rule | None, tuple[int, ...]]:
    """The first rule that finds a movie, and all movies that it finds."""
    parts = title_parts(title)
    year = parts.year if year is None else year
    keys = defaultdict(set)
    for kind, text in parts.keyed():
        keys[kind].add(text)
    for rule in UNDATED if year is None else RULES:
        found = {
            movie
            for text in keys[rule.collection_key]
            for movie, movie_year in index.get((rule.movie_key, text), {}).items()
            if year is None or (movie_year is not None and abs(movie_year - year) == rule.years_apart)
        }
        if found:
            return rule, tuple(sorted(found))
    return None, ()


@dataclass(frozen=True, slots=True)
class TitleParts:
    """The parts of a title: name, alternative names, year."""

    name: str
    alternatives: tuple[str, ...]
    year: int | None

    def keyed(self) -> Iterator[tuple[str, str]]:
        """Pairs of kind and key; no key is empty."""
        for kind, text in self._texts():
            if text:
                yield kind, text

    def _texts(self) -> Iterator[tuple[str, str]]:
        yield "full", key(self.name)
        yield "bare", bare_key(self.name)
        for other in self.alternatives:
            yield "alternative", key(other)
            yield "bare alternative", bare_key(other)
        main = SUBTITLE.split(self.name, maxsplit=1)
        if len(main) > 1:
            yield "short", bare_key(main[0])


def title_parts(title: str) -> TitleParts:
    """Split into name, alternatives in brackets, year: 'Boot, Das (Boat, The) (1981)' is Das Boot, The Boat, 1981."""
    text = title_without_year(title)
    others = [ALSO_KNOWN_AS.sub("", other) for other in BRACKETS.findall(text)]
    name = BRACKETS.sub("", text) or text
    names = [part for other in others for part in (other, *other.split("/"))] if others else []
    return TitleParts(
        article_first(name.strip()),
        tuple(article_first(other.strip()) for other in dict.fromkeys(names)),
        first_year(title),
    )


def article_first(title: str) -> str:
    """Turn 'Matrix, The' into 'The Matrix'; a title that ends in another short word after a comma stays as it is."""
    moved = MOVED_ARTICLE.match(title)
    if moved is None or fold(moved[2]) not in ARTICLES:
        return title
    gap = "" if moved[2][-1] in "'’" else " "
    return f"{moved[2]}{gap}{moved[1]}"


def fold(text: str) -> str:
    """Reduce to plain lower-case words: no accents, no apostrophes, '&' as 'and', other signs as blanks."""
    text = unicodedata.normalize("NFKD", text).casefold().translate(LETTERS)
    text = "".join(character for character in text if not unicodedata.combining(character))
    return NON_WORD.sub(" ", APOSTROPHES.sub("", text)).strip()


@lru_cache(maxsize=2**17)
def key(title: str) -> str:
    """Fold the title, with one word for 'and' and digits for Roman numerals; a title without words stays as it is."""
    words = ["and" if word in AND else NUMERALS.get(word, word) for word in fold(title).split()]
    return " ".join(words) or title.casefold().strip()


def bare_key(title: str) -> str:
    """The key without article and blanks, numbers in digits: Spider-Man equals The Spider Man, Three Men 3 Men."""
    words = key(title).split(" ")
    words = words[1:] if words[0] in PLAIN_ARTICLES and len(words) > 1 else words
    return "".join(SAME_WORDS.get(word, word) for word in words) or key(title)
