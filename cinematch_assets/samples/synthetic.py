"""Generate ratings with a known truth: s(u, i) = μ + b_u + b_i + p_u · q_i, plus noise, rounded to half stars.

Popularity of movies follows a Zipf-Mandelbrot law, activity of users is log-normal, and no user rates a movie twice.
Movies' factors depend on their genres, so that features and models have something to find. Users choose movies by
popularity alone, or by preference too. The same spec gives the same bytes.

Here: the generator. It works in chunks of users, so that memory holds the truth and one chunk. Not here: writing tables
(``tables``), fitting models (``recommender``).
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
PREFERENCE_CLIP = 3.0  # standard deviations of affinity, so that no movie outweighs all others
CENTRING_USERS = 256  # users over whom the mean rating is centred
MAX_WEIGHTS = 1 << 24  # users x movies whose weights are in memory at a time, in float32
POPULARITY_BIAS = 0.1  # stars of movie bias for each standard deviation of log popularity
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
    """Size, seed and structure of a synthetic set.

    ``preference``: a user picks a movie in proportion to popularity · exp(preference · z), with z = p_u · q_i scaled to
    unit variance and clipped; at 0, popularity alone decides, and ranking by popularity is about optimal.
    ``decay``: factor k of the movies is scaled by (1 + k) ** -decay; at 0 all factors have equal variance.

    With rank 32, preference 1 and decay 0.5, rankings relate as on MovieLens: nDCG@10 of graded EASE is 1.99 times that
    of popularity at a million ratings (.217 and .109; 1.93 at 300,000), where it is 2.05 times on ML-100K (.430 and
    .210) and about 1.8 times on ML-latest-small. Preference 0.8 gives 1.66 times, 1.5 three times.
    """

    users: int
    movies: int
    ratings: int
    rank: int = 8
    seed: int = 0
    preference: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        least, most = self.ratings_per_user
        if not 1 <= self.ratings <= MAX_RATINGS:
            raise SampleError(f"synthetic: {self.ratings:,} ratings were asked for; 1 to {MAX_RATINGS:,} are possible.")
        if not self.users * least <= self.ratings <= self.users * most:
            raise SampleError(
                f"synthetic: {self.ratings:,} ratings cannot be made of {self.users:,} users and {self.movies:,} "
                f"movies; a user rates {least} to {most} movies.",
            )

    @classmethod
    def of_size(cls, ratings: int, *, seed: int = 0) -> "SyntheticSpec":
        """Return a spec with users and movies as in MovieLens: 162k and 59k at 25M ratings, 650 and 2,800 at 100k."""
        movies = max(40, round(59_000 * (max(ratings, 1) / MAX_RATINGS) ** 0.55))
        users = max(1, ratings // 154, -(-ratings // (movies // 3)))
        return cls(users=users, movies=movies, ratings=ratings, seed=seed)

    @property
    def ratings_per_user(self) -> tuple[int, int]:
        """The minimum and the maximum per user: 20 (fewer in tiny sets), and half of the catalogue."""
        return min(20, self.ratings // max(self.users, 1)), self.movies // 2


@dataclass(frozen=True, slots=True)
class Truth:
    """The parameters of the ratings. Users and movies are numbered from 1; index 0 of each array is the first."""

    mean: float
    user_bias: NDArray[np.float32]  # (users,)
    movie_bias: NDArray[np.float32]  # (movies,)
    user_factors: NDArray[np.float32]  # (users, rank)
    movie_factors: NDArray[np.float32]  # (movies, rank)
    noise_floor_rmse: float  # RMSE of the best possible prediction, over the ratings made

    def scores(self, user_ids: NDArray[np.integer], movie_ids: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return s(u, i) of each pair, in stars, before noise and rounding."""
        users, movies = user_ids - 1, movie_ids - 1
        interaction: NDArray[np.float32] = np.einsum("nk,nk->n", self.user_factors[users], self.movie_factors[movies])
        scores: NDArray[np.float32] = (
            interaction + self.user_bias[users] + self.movie_bias[movies] + np.float32(self.mean)
        )
        return scores

    def expected(self, user_ids: NDArray[np.integer], movie_ids: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return E[rating | user, movie], the prediction with the lowest expected squared error."""
        grid, expected, _ = _rounding_moments()
        return np.asarray(np.interp(self.scores(user_ids, movie_ids), grid, expected))


def write_synthetic(
    folder: Path,
    spec: SyntheticSpec,
    *,
    file_format: Literal["csv", "parquet"] = "csv",
    progress: Callable[[int], None] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Truth:
    """Write ``movies``, ``ratings`` and ``truth.json`` (the spec and the noise floor) into ``folder``.

    ``progress`` is called with the number of ratings written since the last call; ``chunk_rows`` bounds memory and
    changes the random draws.
    """
    generator = _Generator(spec, chunk_rows=chunk_rows)
    with ExitStack() as files:
        movies = files.enter_context(TableWriter(folder / f"movies.{file_format}"))
        ratings = files.enter_context(TableWriter(folder / f"ratings.{file_format}"))
        movies.write(generator.catalogue)
        for chunk in generator.chunks():
            ratings.write(chunk)
            if progress:
                progress(len(chunk))
    truth = generator.truth()
    given = {name: value for name, value in asdict(spec).items() if value or name not in {"preference", "decay"}}
    facts = given | {"noise_floor_rmse": round(truth.noise_floor_rmse, 6)}
    (folder / "truth.json").write_text(json.dumps(facts, indent=1) + "\n")
    return truth


def make_synthetic(
    spec: SyntheticSpec, *, chunk_rows: int = CHUNK_ROWS, max_weights: int = MAX_WEIGHTS
) -> tuple[pd.DataFrame, pd.DataFrame, Truth]:
    """Return the same ratings and movies as frames, and their truth; ``max_weights`` bounds memory, not the result."""
    generator = _Generator(spec, chunk_rows=chunk_rows, max_weights=max_weights)
    ratings = pd.concat(generator.chunks(), ignore_index=True)
    return ratings, generator.catalogue, generator.truth()


class _Generator:
    """One pass over the users; the truth is complete when all chunks have been read."""

    def __init__(self, spec: SyntheticSpec, *, chunk_rows: int = CHUNK_ROWS, max_weights: int = MAX_WEIGHTS) -> None:
        self._spec, self._chunk_rows, self._max_weights = spec, chunk_rows, max_weights
        self._rng = np.random.default_rng(spec.seed)
        self._activity = _activity(self._rng, spec)
        popularity = _popularity(self._rng, spec.movies)
        self._popularity = popularity
        self._popularity_cdf = np.cumsum(popularity)
        # The probability that a user of average activity rates a movie: it saturates where popularity does not.
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
        if spec.preference:
            self._params = replace(self._params, mean=MEAN - self._preference_gain())
        self._variance_sum = 0.0

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield ``userId, movieId, rating, timestamp`` by user, about ``chunk_rows`` at a time."""
        chunk_of_user = (np.cumsum(self._activity) - self._activity) // self._chunk_rows
        first_of_chunk = np.flatnonzero(np.diff(chunk_of_user, prepend=-1))
        for first, end in zip(first_of_chunk, [*first_of_chunk[1:], self._spec.users], strict=True):
            yield self._ratings_of(np.arange(first, end))

    def truth(self) -> Truth:
        """Return the truth with the noise floor of the ratings made so far."""
        floor = float(np.sqrt(self._variance_sum / self._spec.ratings))
        return replace(self._params, noise_floor_rmse=floor)

    def _ratings_of(self, users: NDArray[np.int64]) -> pd.DataFrame:
        counts = self._activity[users]
        movie_ids = self._draw_movies(users) + 1
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

    def _draw_movies(self, users: NDArray[np.int64]) -> NDArray[np.int64]:
        """Draw the movies of each user, user after user, ascending within a user, (ratings of these users,)."""
        counts = self._activity[users]
        if not self._spec.preference:
            return draw_distinct(self._rng, counts, self._popularity_cdf)
        users_per_block = max(1, self._max_weights // self._spec.movies)
        chosen: list[NDArray[np.int64]] = []
        for first in range(0, len(users), users_per_block):
            block = slice(first, first + users_per_block)
            for weights, count in zip(self._choice_weights(users[block]), counts[block, None], strict=True):
                chosen.append(draw_distinct(self._rng, count, np.cumsum(weights, dtype=np.float64)))
        return np.concatenate(chosen)

    def _preference_gain(self) -> float:
        """Return the mean of p_u · q_i + b_i over the movies that users choose, estimated on the first users."""
        users = np.arange(min(self._spec.users, CENTRING_USERS))
        weights = self._choice_weights(users)
        draws = self._activity[users, None] * weights / weights.sum(axis=1, keepdims=True)
        scores = self._params.user_factors[users] @ self._params.movie_factors.T + self._params.movie_bias
        return float(np.average(scores, weights=-np.expm1(-draws)))

    def _choice_weights(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return popularity · exp(preference · z), by which each user picks each movie, (users, movies)."""
        weights: NDArray[np.float32] = self._params.user_factors[users] @ self._params.movie_factors.T
        weights /= np.float32(FACTOR_STD)
        np.clip(weights, -PREFERENCE_CLIP, PREFERENCE_CLIP, out=weights)
        weights *= np.float32(self._spec.preference)
        np.exp(weights, out=weights)
        weights *= self._popularity.astype(np.float32)
        return weights


def draw_distinct(rng: np.random.Generator, counts: NDArray[np.int64], cdf: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw ``counts[u]`` different items for each user, one after the other in proportion to their weights.

    Draws with replacement, drops repeated items and draws the missing ones again, which is drawing without replacement.
    Only users with missing items are drawn for again.

    Args:
        rng: Where randomness comes from.
        counts: Items per user, at most the number of items, (users,).
        cdf: Running sum of the items' weights, (items,).

    Returns:
        Item numbers, user after user, ascending within a user, (counts.sum(),).
    """
    items = len(cdf)
    done: list[NDArray[np.int64]] = []
    drawn = np.empty(0, dtype=np.int64)  # user * items + item, of users with missing items
    missing = counts.astype(np.int64)
    while missing.any():
        drawn_items = np.minimum(np.searchsorted(cdf, rng.random(missing.sum()) * cdf[-1], side="right"), items - 1)
        new = np.repeat(np.arange(len(counts)) * items, missing) + drawn_items
        drawn = np.unique(np.concatenate([drawn, new]))
        users = drawn // items
        missing = np.where(missing > 0, counts - np.bincount(users, minlength=len(counts)), 0)
        unfinished = missing[users] > 0
        done.append(drawn[~unfinished])
        drawn = drawn[unfinished]
    keys = np.concatenate(done) if done else drawn
    keys.sort()
    return keys % items


def _activity(rng: np.random.Generator, spec: SyntheticSpec) -> NDArray[np.int64]:
    """Return the ratings of each user, log-normal between the bounds, with sum ``spec.ratings``, (users,)."""
    least, most = spec.ratings_per_user
    weights = rng.lognormal(sigma=1.0, size=spec.users)
    low, high = 0.0, float(spec.ratings) / weights.min()
    for _ in range(60):
        scale = (low + high) / 2
        is_below = np.clip(weights * scale, least, most).astype(np.int64).sum() <= spec.ratings
        low, high = (scale, high) if is_below else (low, scale)
    counts = np.clip(weights * low, least, most).astype(np.int64)
    while missing := spec.ratings - counts.sum():
        below_most = rng.permutation(np.flatnonzero(counts < most))
        counts[below_most[:missing]] += 1
    return counts


def _popularity(rng: np.random.Generator, movies: int) -> NDArray[np.float64]:
    """Return each movie's share of the draws, (movies,): a Zipf-Mandelbrot law over ranks in random order."""
    weights = (1 + np.arange(movies) + np.sqrt(movies)) ** -1.5
    return rng.permutation(weights / weights.sum())


def _genre_membership(rng: np.random.Generator, movies: int) -> NDArray[np.bool_]:
    """Draw one to three genres for each movie, none for one in fifty, (movies, genres)."""
    weights = rng.permutation((1 + np.arange(len(GENRES))) ** -0.8)
    count = rng.choice([0, 1, 2, 3], p=[0.02, 0.38, 0.40, 0.20], size=movies)
    # The largest of log(w) + Gumbel noise are drawn without replacement in proportion to w.
    order = np.argsort(-(np.log(weights) + rng.gumbel(size=(movies, len(GENRES)))), axis=1)
    membership = np.zeros((movies, len(GENRES)), dtype=bool)
    np.put_along_axis(membership, order, np.arange(len(GENRES)) < count[:, None], axis=1)
    return membership


def _movie_bias(rng: np.random.Generator, popularity: NDArray[np.float64]) -> NDArray[np.float32]:
    """Draw b_i; popular movies have higher biases, (movies,)."""
    log_popularity = np.log(popularity)
    centred = log_popularity - log_popularity.mean()
    of_popularity = POPULARITY_BIAS * centred / (log_popularity.std() or 1)
    bias: NDArray[np.float32] = _normal(rng, len(popularity), MOVIE_STD) + of_popularity.astype(np.float32)
    return bias


def _centred(bias: NDArray[np.float32], ratings: NDArray[Any]) -> NDArray[np.float32]:
    """Return the biases shifted to mean 0 over the ratings, so that ``Truth.mean`` is the mean score."""
    centred: NDArray[np.float32] = bias - np.float32(np.average(bias, weights=ratings))
    return centred


def _movie_factors(
    rng: np.random.Generator,
    genres: NDArray[np.bool_],
    seen: NDArray[np.float64],
    spec: SyntheticSpec,
) -> NDArray[np.float32]:
    """Draw q_i, (movies, rank): two thirds of the variance from the movie's genres, one third its own."""
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
    """Return ``movieId, title, genres``, with titles as in MovieLens: "Silent Harbour, The (1994)"."""
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
    """Draw Unix seconds of each rating; all ratings of a user are in one month, (counts.sum(),)."""
    month = 30 * 86_400
    begin = rng.integers(FIRST_RATING, LAST_RATING - month, len(counts))
    times: NDArray[np.int64] = np.repeat(begin, counts) + rng.integers(0, month, counts.sum())
    return times


def _normal(rng: np.random.Generator, size: int | tuple[int, int], std: float) -> NDArray[np.float32]:
    """Draw from N(0, std²) in float32."""
    return rng.standard_normal(size, dtype=np.float32) * np.float32(std)


def _rounding_moments() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return a grid of scores s, and the mean and variance of s + N(0, NOISE_STD²) rounded to 0.5 … 5.0."""
    from scipy.special import ndtr  # noqa: PLC0415 - keeps the import of samples light

    scores = np.arange(-2.0, 8.0, 1 / 64)
    values = np.arange(0.5, 5.01, 0.5)
    below = ndtr((values[:-1] + 0.25 - scores[:, None]) / NOISE_STD)
    share = np.diff(below, axis=1, prepend=0.0, append=1.0)
    expected = share @ values
    return scores, expected, share @ values**2 - expected**2
