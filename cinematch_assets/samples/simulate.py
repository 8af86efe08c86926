"""The next plausible weekly batch: users rate known movies that are new to them, in the week after the newest rating.

Who rates and what is rated follows how often they did so far; a rating is the user's and the movie's own leaning plus
noise as wide as in the data, put on the data's own scale so that its star counts are those of the history. Drift moves
the leaning before that, by as much as brings the mean to where it was asked to be.

Here: drawing the batch, its name and its file. Not here: what the platform makes of it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys
from cinematch_assets.samples.history import read_history
from cinematch_assets.samples.sample import SampleError
from cinematch_assets.samples.tables import TableWriter

WEEK_S = 7 * 86_400
WEEKLY_SHARE = 0.043  # the seed's weekly batch: 43,000 ratings to a million
LEAST_ROWS = 1_000  # below that, the platform does not decide on drift
DAMPING = 10.0  # average ratings imagined before a user's or a movie's own count
REFERENCE_ROWS = 200_000
TASTED_ROWS = 50_000
DEMO_DRIFTS = (0.0, 0.0, 0.5)
"""The demo's three weeks: two like the history, then one half a star kinder, which the platform must notice by itself.

They are simulated, and the demo says so: the real ratings stay whole in ``ratings``, any folder can be shown, and the
drift is known. Slices of real ratings would have unknown drifts of their own.
"""
BATCH_FILE = re.compile(r"batch_w([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class SimulatedBatch:
    """A batch that was written, and what was asked of it."""

    batch_id: str
    path: Path
    rows: int
    mean: float
    baseline_mean: float
    drift: float


RatingModel = Callable[[NDArray[np.int32], NDArray[np.int32]], tuple[NDArray[np.floating], NDArray[np.floating]]]
"""Asked for (user, movie) pairs: the stars to expect of each, and how far from that a rating usually is."""


def simulate_into(
    folder: Path,
    *,
    drift: float = 0.0,
    rows: int | None = None,
    seed: int | None = None,
    taste: RatingModel | None = None,
) -> SimulatedBatch:
    """Put the next weekly batch into ``folder/batches``, going by the ratings and batches that lie in ``folder``.

    Args:
        folder: Holds ``movies.*``, ``ratings.*`` and maybe ``batches/``.
        drift: Stars by which the batch's mean is above that of ``ratings.*``.
        rows: Ratings in it; 4.3 % of ``ratings.*``, and no fewer than 1,000, when not given.
        seed: When not given, the number of the batch: the same folder gives the same next batch.
        taste: What to expect of a pair, from a model; when not given, users' and movies' means.

    Raises:
        SampleError: No movies or ratings in the folder, or a drift that cannot be had.
    """
    history = read_history(folder)
    batch_id = next_batch_id(history.batch_ids)
    batch = simulate_batch(
        history.ratings,
        history.movie_ids,
        earlier=history.batches,
        rows=rows or weekly_rows(len(history.ratings)),
        drift=drift,
        seed=int(batch_id.removeprefix("batch_w")) if seed is None else seed,
        taste=taste,
    )
    path = write_batch(folder, batch_id, batch)
    mean, baseline_mean = (float(frame["rating"].mean()) for frame in (batch, history.ratings))
    return SimulatedBatch(batch_id, path, len(batch), mean, baseline_mean, drift)


def weekly_rows(ratings: int) -> int:
    """How many ratings a week brings to a set of that size."""
    return max(LEAST_ROWS, round(WEEKLY_SHARE * ratings))


def next_batch_id(existing: Iterable[str]) -> str:
    """``batch_w<n>`` with n one above the highest there is; names of another form do not count."""
    numbers = [int(match[1]) for name in existing if (match := BATCH_FILE.fullmatch(name))]
    return f"batch_w{max(numbers, default=0) + 1}"


def write_batch(folder: Path, batch_id: str, batch: pd.DataFrame) -> Path:
    """Write ``batches/<batch_id>.csv`` so that watchers of the folder see all of it or nothing."""
    path = folder / "batches" / f"{batch_id}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with TableWriter(path) as file:
        file.write(batch)
    return path


def simulate_batch(
    ratings: pd.DataFrame,
    movie_ids: NDArray[np.int32],
    *,
    earlier: pd.DataFrame | None = None,
    rows: int,
    drift: float = 0.0,
    seed: int = 0,
    taste: RatingModel | None = None,
) -> pd.DataFrame:
    """``userId, movieId, rating, timestamp`` of the next week, in order of time.

    Args:
        ratings: The history that the batch resembles, with those four columns.
        movie_ids: The catalogue; a movie without ratings has half the chance of one rated once.
        earlier: Batches since; their pairs are not drawn again and time goes on after them, but they shape nothing.
        rows: How many ratings.
        drift: Stars by which the expected mean is above the history's; 0 draws from the history's own star counts.
        seed: The same seed and history give the same batch.
        taste: What to expect of a pair, from a model: then the batch is as predictable as the model says, and its
            pairs are as well liked as the history's. When not given, users' and movies' means, which a good model
            finds harder to predict than real ratings.

    Raises:
        SampleError: Nothing to go by, not that many unrated pairs, or a mean outside of the history's scale.
    """
    if ratings.empty or not len(movie_ids):
        raise SampleError("The next batch cannot be simulated: there are no ratings or no movies to go by.")
    if rows < 1:
        raise SampleError(f"The next batch cannot have {rows} rows.")
    rng = np.random.default_rng(seed)
    habits = _Habits.of(ratings, movie_ids)
    if taste is not None:
        habits = habits.with_taste(rng, taste, ratings)
    past = ratings if earlier is None else pd.concat([ratings, earlier], ignore_index=True)
    rated = np.unique(pair_keys(past["userId"].to_numpy(), past["movieId"].to_numpy()))
    users, movies = _unrated_pairs(rng, habits, rated, rows)
    stars = _Stars.of(rng, habits, rated, ratings["rating"].to_numpy()).drifted(drift)
    batch = pd.DataFrame(
        {
            "userId": habits.user_ids[users].astype(np.int32),
            "movieId": habits.movie_ids[movies].astype(np.int32),
            "rating": stars.rate(habits.leanings(rng, users, movies)),
            "timestamp": _session_times(rng, users, int(past["timestamp"].max())),
        }
    )
    return batch.sort_values(["timestamp", "userId", "movieId"], kind="stable", ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Habits:
    """How often users rate and movies are rated, and how far above the mean: s(u, i) = b_u + b_i."""

    user_ids: NDArray[np.int64]  # (users,)
    movie_ids: NDArray[np.int64]  # (movies,)
    user_weight: NDArray[np.float64]
    movie_weight: NDArray[np.float64]
    user_bias: NDArray[np.float64]
    movie_bias: NDArray[np.float64]
    noise: float  # std of what the biases leave over, in stars
    taste: RatingModel | None = None
    choice: "_Choice | None" = None

    @classmethod
    def of(cls, ratings: pd.DataFrame, movie_ids: NDArray[np.int32]) -> "_Habits":
        known = ratings[ratings["movieId"].isin(movie_ids)]
        if known.empty:
            raise SampleError("The next batch cannot be simulated: no rating is of a movie in the catalogue.")
        catalogue = np.unique(movie_ids).astype(np.int64)
        user_ids, users = np.unique(known["userId"].to_numpy(np.int64), return_inverse=True)
        movies = np.searchsorted(catalogue, known["movieId"].to_numpy(np.int64))
        stars = known["rating"].to_numpy(np.float64)
        movie_bias = _damped_means(movies, stars - stars.mean(), len(catalogue))
        user_bias = _damped_means(users, stars - stars.mean() - movie_bias[movies], len(user_ids))
        left_over = stars - stars.mean() - movie_bias[movies] - user_bias[users]
        busy = np.bincount(users).astype(np.float64)
        seen = (np.bincount(movies, minlength=len(catalogue)) + 0.5).astype(np.float64)
        return cls(user_ids, catalogue, busy, seen, user_bias, movie_bias, float(left_over.std()))

    def draw(self, rng: np.random.Generator, pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of users and movies, each in proportion to its ratings so far.

        With a taste, pairs that are seldom chosen are mostly left out, so fewer than ``pairs`` may come.
        """
        users, movies = _weighted(rng, self.user_weight, pairs), _weighted(rng, self.movie_weight, pairs)
        if self.taste is None or self.choice is None:
            return users, movies
        chosen = self.choice.made(rng, self._expected(self.taste, users, movies)[0])
        return users[chosen], movies[chosen]

    def with_taste(self, rng: np.random.Generator, taste: RatingModel, history: pd.DataFrame) -> "_Habits":
        """The same habits with stars to expect from a model, and pairs chosen by them as the history's were."""
        rated = history.iloc[np.sort(rng.permutation(len(history))[:TASTED_ROWS])]
        liked = taste(rated["userId"].to_numpy(np.int32), rated["movieId"].to_numpy(np.int32))[0]
        tasting = replace(self, taste=taste)
        at_random = self._expected(taste, *self.draw(rng, TASTED_ROWS))[0]
        return replace(tasting, choice=_Choice.of(liked, at_random))

    def _expected(
        self, taste: RatingModel, users: NDArray[np.int64], movies: NDArray[np.int64]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        return taste(self.user_ids[users].astype(np.int32), self.movie_ids[movies].astype(np.int32))

    def keys(self, users: NDArray[np.int64], movies: NDArray[np.int64]) -> NDArray[np.int64]:
        """The pairs at these positions as ``pair_keys`` numbers them."""
        return pair_keys(self.user_ids[users], self.movie_ids[movies])

    def leanings(
        self,
        rng: np.random.Generator,
        users: NDArray[np.int64],
        movies: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """How well each pair is liked this time, in stars from some zero: what is to be expected, and noise."""
        if self.taste is not None:
            expected, spread = self._expected(self.taste, users, movies)
            return np.asarray(expected + spread * rng.standard_normal(len(users)), np.float64)
        return self.user_bias[users] + self.movie_bias[movies] + self.noise * rng.standard_normal(len(users))


@dataclass(frozen=True, slots=True)
class _Choice:
    """People rate what they expect to like: how much likelier a pair is chosen, by the stars expected of it."""

    edges: NDArray[np.float64]  # (k - 1,)
    chance: NDArray[np.float64]  # (k,), at most 1

    @classmethod
    def of(cls, liked: NDArray[np.floating], at_random: NDArray[np.floating], classes: int = 20) -> "_Choice":
        """From the stars expected of pairs that were rated, and of pairs drawn at random."""
        edges = np.unique(np.quantile(liked, np.arange(1, classes) / classes))
        rated, drawn = (
            np.bincount(np.searchsorted(edges, each), minlength=len(edges) + 1) / len(each)
            for each in (liked, at_random)
        )
        ratio = rated / np.maximum(drawn, 1e-3)
        return cls(edges, ratio / ratio.max())

    def made(self, rng: np.random.Generator, expected: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which of the pairs are chosen, (pairs,)."""
        chosen: NDArray[np.bool_] = rng.random(len(expected)) < self.chance[np.searchsorted(self.edges, expected)]
        return chosen


@dataclass(frozen=True, slots=True)
class _Stars:
    """Where leanings are cut into stars: a leaning between two cuts is the rating between them."""

    values: NDArray[np.float64]  # the ratings that the history knows, ascending, (k,)
    cuts: NDArray[np.float64]  # (k - 1,)
    reference: NDArray[np.float64]  # leanings of many pairs drawn as a batch's are

    @classmethod
    def of(
        cls,
        rng: np.random.Generator,
        habits: _Habits,
        rated: NDArray[np.int64],
        history: NDArray[np.floating],
    ) -> "_Stars":
        """Cuts at which pairs that are still unrated have the history's star counts."""
        users, movies = habits.draw(rng, REFERENCE_ROWS)
        unrated = ~_contains(rated, habits.keys(users, movies))
        leanings = habits.leanings(rng, users[unrated], movies[unrated])
        values, counts = np.unique(history.astype(np.float64), return_counts=True)
        return cls(values, np.quantile(leanings, np.cumsum(counts)[:-1] / counts.sum()), leanings)

    def rate(self, leanings: NDArray[np.float64]) -> NDArray[np.float32]:
        """The rating of each leaning, in stars."""
        return self.values[np.searchsorted(self.cuts, leanings)].astype(np.float32)

    def drifted(self, by: float) -> "_Stars":
        """The same cuts moved together, by bisection, to where the mean rating is ``by`` stars higher."""
        if by == 0:
            return self
        mean = self.rate(self.reference).mean(dtype=np.float64) + by
        if not self.values[0] < mean < self.values[-1]:
            raise SampleError(
                f"A drift of {by:+g} asks for a mean of {mean:.2f} stars, and the ratings lie between "
                f"{self.values[0]:g} and {self.values[-1]:g}.",
            )
        low, high = -20.0, 20.0
        for _ in range(40):
            shift = (low + high) / 2
            reached = _Stars(self.values, self.cuts - shift, self.reference).rate(self.reference)
            low, high = (shift, high) if reached.mean(dtype=np.float64) < mean else (low, shift)
        return _Stars(self.values, self.cuts - low, self.reference)


def _damped_means(groups: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Mean of each group's values, pulled to 0 by ``DAMPING`` imagined values, (size,)."""
    sums = np.bincount(groups, values, minlength=size)
    return np.asarray(sums / (np.bincount(groups, minlength=size) + DAMPING), dtype=np.float64)


def _weighted(rng: np.random.Generator, weights: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Positions drawn in proportion to ``weights``, (size,)."""
    cdf = np.cumsum(weights)
    drawn: NDArray[np.int64] = np.searchsorted(cdf, rng.random(size) * cdf[-1], side="right")
    return np.minimum(drawn, len(cdf) - 1)


def _contains(ascending: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which keys are among the ascending ones, (keys,)."""
    at = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[at] == keys
    return found


def _unrated_pairs(
    rng: np.random.Generator,
    habits: _Habits,
    rated: NDArray[np.int64],
    rows: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Different (user, movie) pairs that are not ``rated``, as positions in ``habits``, (rows,) each."""
    if len(habits.user_ids) * len(habits.movie_ids) - len(rated) < 2 * rows:
        raise SampleError(f"There are too few unrated pairs of users and movies left for a batch of {rows:,} rows.")
    found = np.empty((0, 2), dtype=np.int64)
    while len(found) < rows:
        users, movies = habits.draw(rng, 2 * (rows - len(found)) + 16)
        unrated = ~_contains(rated, habits.keys(users, movies))
        found = np.concatenate([found, np.column_stack([users[unrated], movies[unrated]])])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:rows, 0], found[:rows, 1]


def _session_times(rng: np.random.Generator, users: NDArray[np.int64], newest: int) -> NDArray[np.int64]:
    """Unix seconds in the week after ``newest``: every user comes once and rates within the hour, (rows,)."""
    _, visitor = np.unique(users, return_inverse=True)
    arrival = newest + 1 + rng.integers(0, WEEK_S - 3_600, visitor.max() + 1)
    times: NDArray[np.int64] = arrival[visitor] + rng.integers(0, 3_600, len(users))
    return times
