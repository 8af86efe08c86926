"""Ratings with a known truth: s(u, i) = μ + b_u + b_i + p_u · q_i, plus noise, rounded to half stars.

Movies are rated with the probability of a shifted power law (Zipf-Mandelbrot), users are busy with that of a log-normal
one, no user rates a movie twice, and genres are where the movies' factors come from, so that features and model have
something to find. People choose by popularity alone, or by their taste too. The same spec gives the same bytes.

Here: the generator. Writing works in chunks of users, so memory does not grow with the number of ratings but for the
truth itself. Not here: what a model makes of it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.movielens import NO_GENRES
from cinematch_assets.samples.sample import SampleError
from cinematch_assets.samples.tables import TableWriter

MAX_RATINGS = 25_000_000
CHUNK_ROWS = 500_000
FIRST_RATING, LAST_RATING = 978_307_200, 1_577_836_800  # 2001 to 2019 in Unix seconds
MEAN, USER_STD, MOVIE_STD, FACTOR_STD, NOISE_STD = 3.60, 0.45, 0.42, 0.35, 0.80  # about what MovieLens has
TASTE_CLIP = 3.0  # standard deviations of affinity; no movie is an obsession
USERS_TO_CENTRE = 256
CHOICES_AT_ONCE = 1 << 24  # users x movies whose weights are held at once, in float32
POPULARITY_LIFT = 0.1  # stars by which a movie gains for each standard deviation of log popularity
GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
ADJECTIVES = (
    "Amber",
    "Broken",
    "Crimson",
    "Distant",
    "Golden",
    "Hidden",
    "Last",
    "Midnight",
    "Quiet",
    "Silent",
    "Wild",
)
NOUNS = ("Archive", "Bridge", "Carnival", "Detective", "Empire", "Garden", "Harbour", "Island", "Journey", "Mirror")


@dataclass(frozen=True, slots=True)
class SyntheticSpec:
    """How much to make, and from which seed.

    ``taste``: a user picks a movie in proportion to popularity · exp(taste · z), with z = p_u · q_i at unit variance,
    clipped; at 0 popularity alone decides, and then it is about the best list there is.
    ``decay``: factor k of the movies is scaled by (1 + k) ** -decay; at 0 all factors matter alike.

    With rank 32, taste 1 and decay 0.5, lists relate as they do on MovieLens: nDCG@10 of graded EASE is 1.99 times that
    of popularity at a million ratings (.217 and .109; 1.93 at 300,000), where it is 2.05 times on ML-100K (.430 and
    .210) and about 1.8 times on ML-latest-small. RatingModel 0.8 gives 1.66 times, 1.5 three times.
    """

    users: int
    movies: int
    ratings: int
    rank: int = 8
    seed: int = 0
    taste: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        least, most = self.ratings_per_user
        if not 1 <= self.ratings <= MAX_RATINGS:
            raise SampleError(f"synthetic: {self.ratings:,} ratings were asked for; it makes 1 to {MAX_RATINGS:,}.")
        if not self.users * least <= self.ratings <= self.users * most:
            raise SampleError(
                f"synthetic: {self.ratings:,} ratings do not spread over {self.users:,} users and {self.movies:,} "
                f"movies; a user rates {least} to {most} movies.",
            )

    @classmethod
    def of_size(cls, ratings: int, *, seed: int = 0) -> "SyntheticSpec":
        """As many users and movies as MovieLens has at that size: 162k and 59k at 25M, 650 and 2,800 at 100k."""
        movies = max(40, round(59_000 * (max(ratings, 1) / MAX_RATINGS) ** 0.55))
        users = max(1, ratings // 154, -(-ratings // (movies // 3)))
        return cls(users=users, movies=movies, ratings=ratings, seed=seed)

    @property
    def ratings_per_user(self) -> tuple[int, int]:
        """The fewest and the most ratings of one user: 20 where there are enough, and half of the catalogue."""
        return min(20, self.ratings // max(self.users, 1)), self.movies // 2


@dataclass(frozen=True, slots=True)
class Truth:
    """What the ratings were made from. Users and movies are numbered from 1; index 0 of each array is the first."""

    mean: float
    user_bias: NDArray[np.float32]  # (users,)
    movie_bias: NDArray[np.float32]  # (movies,)
    user_factors: NDArray[np.float32]  # (users, rank)
    movie_factors: NDArray[np.float32]  # (movies, rank)
    noise_floor_rmse: float  # of the best prediction there is, over the ratings made

    def scores(self, user_ids: NDArray[np.integer], movie_ids: NDArray[np.integer]) -> NDArray[np.float32]:
        """s(u, i) of each pair, in stars, before noise and rounding."""
        users, movies = user_ids - 1, movie_ids - 1
        interaction: NDArray[np.float32] = np.einsum("nk,nk->n", self.user_factors[users], self.movie_factors[movies])
        scores: NDArray[np.float32] = (
            interaction + self.user_bias[users] + self.movie_bias[movies] + np.float32(self.mean)
        )
        return scores

    def expected(self, user_ids: NDArray[np.integer], movie_ids: NDArray[np.integer]) -> NDArray[np.float64]:
        """E[rating | user, movie]: the prediction that no model can beat on average."""
        grid, expected, _ = _rounding_moments()
        return np.asarray(np.interp(self.scores(user_ids, movie_ids), grid, expected))


def write_synthetic(
    folder: Path,
    spec: SyntheticSpec,
    *,
    file_format: Literal["csv", "parquet"] = "csv",
    progress: Callable[[int], None] | None = None,
) -> Truth:
    """Write ``movies``, ``ratings`` and ``truth.json`` (the spec and the noise floor) into ``folder``."""
    generator = _Generator(spec)
    with ExitStack() as files:
        movies = files.enter_context(TableWriter(folder / f"movies.{file_format}"))
        ratings = files.enter_context(TableWriter(folder / f"ratings.{file_format}"))
        movies.write(generator.catalogue)
        for chunk in generator.chunks():
            ratings.write(chunk)
            if progress:
                progress(len(chunk))
    truth = generator.truth()
    asked = {name: value for name, value in asdict(spec).items() if value or name not in {"taste", "decay"}}
    facts = asked | {"noise_floor_rmse": round(truth.noise_floor_rmse, 6)}
    (folder / "truth.json").write_text(json.dumps(facts, indent=1) + "\n")
    return truth


def make_synthetic(spec: SyntheticSpec) -> tuple[pd.DataFrame, pd.DataFrame, Truth]:
    """The same ratings and movies as frames in memory, and their truth."""
    generator = _Generator(spec)
    ratings = pd.concat(generator.chunks(), ignore_index=True)
    return ratings, generator.catalogue, generator.truth()


class _Generator:
    """One pass over the users; the truth is complete when the chunks are used up."""

    def __init__(self, spec: SyntheticSpec) -> None:
        self._spec = spec
        self._rng = np.random.default_rng(spec.seed)
        self._activity = _activity(self._rng, spec)
        popularity = _popularity(self._rng, spec.movies)
        self._popularity = popularity
        self._popularity_cdf = np.cumsum(popularity)
        # The chance that a user of average activity sees a movie: draws saturate where popularity does not.
        seen = -np.expm1(-popularity * spec.ratings / spec.users)
        genres = _genre_membership(self._rng, spec.movies)
        self.catalogue = _catalogue(self._rng, genres)
        self._params = Truth(
            mean=MEAN,
            user_bias=_centred(_normal(self._rng, spec.users, USER_STD), self._activity),
            movie_bias=_centred(_movie_bias(self._rng, popularity), seen),
            user_factors=_normal(self._rng, (spec.users, spec.rank), 1 / np.sqrt(spec.rank)),
            movie_factors=_movie_factors(self._rng, genres, seen, spec),
            noise_floor_rmse=float("nan"),
        )
        if spec.taste:
            self._params = replace(self._params, mean=MEAN - self._gain())
        self._variance_sum = 0.0

    def chunks(self) -> Iterator[pd.DataFrame]:
        """``userId, movieId, rating, timestamp`` by user, about ``CHUNK_ROWS`` at a time."""
        chunk_of_user = (np.cumsum(self._activity) - self._activity) // CHUNK_ROWS
        first_of_chunk = np.flatnonzero(np.diff(chunk_of_user, prepend=-1))
        for first, end in zip(first_of_chunk, [*first_of_chunk[1:], self._spec.users], strict=True):
            yield self._ratings_of(np.arange(first, end))

    def truth(self) -> Truth:
        """The truth with the noise floor of the ratings made so far."""
        floor = float(np.sqrt(self._variance_sum / self._spec.ratings))
        return replace(self._params, noise_floor_rmse=floor)

    def _ratings_of(self, users: NDArray[np.int64]) -> pd.DataFrame:
        counts = self._activity[users]
        movie_ids = self._choices(users) + 1
        user_ids = np.repeat(users + 1, counts)
        scores = self._params.scores(user_ids, movie_ids)
        grid, _, variance = _rounding_moments()
        self._variance_sum += float(np.interp(scores, grid, variance).sum())
        noisy = scores + _normal(self._rng, len(scores), NOISE_STD)
        columns = {
            "userId": user_ids.astype(np.int32),
            "movieId": movie_ids.astype(np.int32),
            "rating": np.clip(np.rint(noisy * 2) / 2, 0.5, 5.0).astype(np.float32),
            "timestamp": _times(self._rng, counts),
        }
        return pd.DataFrame(columns)

    def _choices(self, users: NDArray[np.int64]) -> NDArray[np.int64]:
        """What each user rates, user after user, ascending within a user, (ratings of these users,)."""
        counts = self._activity[users]
        if not self._spec.taste:
            return draw_distinct(self._rng, counts, self._popularity_cdf)
        at_once = max(1, CHOICES_AT_ONCE // self._spec.movies)
        chosen: list[NDArray[np.int64]] = []
        for first in range(0, len(users), at_once):
            some = slice(first, first + at_once)
            for weights, count in zip(self._appeal(users[some]), counts[some, None], strict=True):
                chosen.append(draw_distinct(self._rng, count, np.cumsum(weights, dtype=np.float64)))
        return np.concatenate(chosen)

    def _gain(self) -> float:
        """Stars by which what people choose is better than 0 on average, over the first few hundred users."""
        users = np.arange(min(self._spec.users, USERS_TO_CENTRE))
        appeal = self._appeal(users)
        draws = self._activity[users, None] * appeal / appeal.sum(axis=1, keepdims=True)
        liking = self._params.user_factors[users] @ self._params.movie_factors.T + self._params.movie_bias
        return float(np.average(liking, weights=-np.expm1(-draws)))

    def _appeal(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """The weight popularity · exp(taste · z) by which each user picks each movie, (users, movies)."""
        appeal: NDArray[np.float32] = self._params.user_factors[users] @ self._params.movie_factors.T
        appeal /= np.float32(FACTOR_STD)
        np.clip(appeal, -TASTE_CLIP, TASTE_CLIP, out=appeal)
        appeal *= np.float32(self._spec.taste)
        np.exp(appeal, out=appeal)
        appeal *= self._popularity.astype(np.float32)
        return appeal


def draw_distinct(rng: np.random.Generator, counts: NDArray[np.int64], cdf: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each user ``counts[u]`` different items, drawn one after the other in proportion to their weights.

    Draws with replacement, drops what a user has already, and draws again what is missing: that is drawing without
    replacement. Only users who still miss something are looked at again.

    Args:
        rng: Where randomness comes from.
        counts: Items wanted, at most the number of items, (users,).
        cdf: Running sum of the items' weights, (items,).

    Returns:
        Item numbers, user after user, ascending within a user, (counts.sum(),).
    """
    items = len(cdf)
    done: list[NDArray[np.int64]] = []
    held = np.empty(0, dtype=np.int64)  # user * items + item, of the users who miss some
    missing = counts.astype(np.int64)
    while missing.any():
        drawn_items = np.minimum(np.searchsorted(cdf, rng.random(missing.sum()) * cdf[-1], side="right"), items - 1)
        drawn = np.repeat(np.arange(len(counts)) * items, missing) + drawn_items
        held = np.unique(np.concatenate([held, drawn]))
        users = held // items
        missing = np.where(missing > 0, counts - np.bincount(users, minlength=len(counts)), 0)
        unfinished = missing[users] > 0
        done.append(held[~unfinished])
        held = held[unfinished]
    keys = np.concatenate(done) if done else held
    keys.sort()
    return keys % items


def _activity(rng: np.random.Generator, spec: SyntheticSpec) -> NDArray[np.int64]:
    """Ratings of each user, log-normal between the bounds and exactly ``spec.ratings`` in sum, (users,)."""
    least, most = spec.ratings_per_user
    wish = rng.lognormal(sigma=1.0, size=spec.users)
    low, high = 0.0, float(spec.ratings) / wish.min()
    for _ in range(60):
        scale = (low + high) / 2
        short = np.clip(wish * scale, least, most).astype(np.int64).sum() <= spec.ratings
        low, high = (scale, high) if short else (low, scale)
    counts = np.clip(wish * low, least, most).astype(np.int64)
    while left := spec.ratings - counts.sum():
        room = rng.permutation(np.flatnonzero(counts < most))
        counts[room[:left]] += 1
    return counts


def _popularity(rng: np.random.Generator, movies: int) -> NDArray[np.float64]:
    """Each movie's share of the draws, (movies,): a Zipf-Mandelbrot law over ranks that are dealt out at random."""
    weights = (1 + np.arange(movies) + np.sqrt(movies)) ** -1.5
    return rng.permutation(weights / weights.sum())


def _genre_membership(rng: np.random.Generator, movies: int) -> NDArray[np.bool_]:
    """One to three genres for each movie, none for one in fifty, (movies, genres)."""
    weights = rng.permutation((1 + np.arange(len(GENRES))) ** -0.8)
    count = rng.choice([0, 1, 2, 3], p=[0.02, 0.38, 0.40, 0.20], size=movies)
    # The largest of log(w) + Gumbel noise are a draw without replacement in proportion to w.
    order = np.argsort(-(np.log(weights) + rng.gumbel(size=(movies, len(GENRES)))), axis=1)
    membership = np.zeros((movies, len(GENRES)), dtype=bool)
    np.put_along_axis(membership, order, np.arange(len(GENRES)) < count[:, None], axis=1)
    return membership


def _movie_bias(rng: np.random.Generator, popularity: NDArray[np.float64]) -> NDArray[np.float32]:
    """b_i: better movies are seen more often, (movies,)."""
    fame = np.log(popularity)
    lift = POPULARITY_LIFT * (fame - fame.mean()) / (fame.std() or 1)
    bias: NDArray[np.float32] = _normal(rng, len(popularity), MOVIE_STD) + lift.astype(np.float32)
    return bias


def _centred(bias: NDArray[np.float32], ratings: NDArray[Any]) -> NDArray[np.float32]:
    """The biases moved to be 0 on average over the ratings, so that the mean stays what it is said to be."""
    centred: NDArray[np.float32] = bias - np.float32(np.average(bias, weights=ratings))
    return centred


def _movie_factors(
    rng: np.random.Generator,
    genres: NDArray[np.bool_],
    seen: NDArray[np.float64],
    spec: SyntheticSpec,
) -> NDArray[np.float32]:
    """q_i, (movies, rank): two thirds of the variance from the movie's genres, one third its own."""
    rank = spec.rank
    shared = (
        genres @ rng.normal(size=(genres.shape[1], rank)) / np.sqrt(np.maximum(genres.sum(axis=1, keepdims=True), 1))
    )
    factors = np.sqrt(2 / 3) * shared + np.sqrt(1 / 3) * rng.normal(size=shared.shape)
    factors *= (1.0 + np.arange(rank)) ** -spec.decay
    power = np.average((factors**2).sum(axis=1), weights=seen) / rank
    scaled: NDArray[np.float32] = (factors * FACTOR_STD / np.sqrt(power)).astype(np.float32)
    return scaled


def _catalogue(rng: np.random.Generator, genres: NDArray[np.bool_]) -> pd.DataFrame:
    """``movieId, title, genres`` with titles as MovieLens writes them: "Silent Harbour, The (1994)"."""
    movies = len(genres)
    words = zip(
        rng.choice(ADJECTIVES, movies),
        rng.choice(NOUNS, movies),
        rng.integers(1930, 2020, movies),
        strict=True,
    )
    names = np.array(GENRES)
    return pd.DataFrame(
        {
            "movieId": np.arange(1, movies + 1, dtype=np.int32),
            "title": [f"{adjective} {noun}, The ({year})" for adjective, noun, year in words],
            "genres": ["|".join(names[row]) or NO_GENRES for row in genres],
        }
    )


def _times(rng: np.random.Generator, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unix seconds of each rating: every user comes within a month of a day of his own, (counts.sum(),)."""
    month = 30 * 86_400
    begin = rng.integers(FIRST_RATING, LAST_RATING - month, len(counts))
    times: NDArray[np.int64] = np.repeat(begin, counts) + rng.integers(0, month, counts.sum())
    return times


def _normal(rng: np.random.Generator, size: int | tuple[int, int], std: float) -> NDArray[np.float32]:
    """Normal draws around 0 in float32."""
    return rng.standard_normal(size, dtype=np.float32) * np.float32(std)


def _rounding_moments() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of a rating given its score s, tabulated: s + N(0, NOISE_STD) rounded to 0.5 … 5.0."""
    from scipy.special import ndtr  # noqa: PLC0415 - keeps the import of samples light

    scores = np.arange(-2.0, 8.0, 1 / 64)
    stars = np.arange(0.5, 5.01, 0.5)
    below = ndtr((stars[:-1] + 0.25 - scores[:, None]) / NOISE_STD)
    share = np.diff(below, axis=1, prepend=0.0, append=1.0)
    expected = share @ stars
    return scores, expected, share @ stars**2 - expected**2
