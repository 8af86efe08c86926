"""Simulate the next weekly batch: users rate known movies that are new to them, in the week after the newest rating.

Users and movies are drawn in proportion to their ratings so far, and pairs are kept by taste: as often as rated pairs
that the taste was not fitted to lie at the same distance. A latent score is the user's and the movie's bias plus noise
with the residual standard deviation of the history; thresholds turn scores into ratings so that these are distributed
as in the history. Drift shifts the thresholds until the mean rating is as far off as requested.

Here: drawing the batch, its name and its file. Not here: reading the folder (``history``), who likes what (``taste``),
ratings expected by the champion (``pipeline.simulate_batch``).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys
from cinematch_assets.plurals import count
from cinematch_assets.samples.history import read_history
from cinematch_assets.samples.sample import SampleError
from cinematch_assets.samples.tables import TableWriter
from cinematch_assets.samples.taste import Taste

WEEK_S = 7 * 86_400
WEEKLY_SHARE = 0.043  # the seed's weekly batch: 43,000 ratings to a million
MIN_ROWS = 1_000  # with fewer rows the platform does not decide on drift
DAMPING = 10.0  # prior pseudo-count (ratings) of a user's or a movie's bias
THRESHOLD_SAMPLE_ROWS = 50_000  # pairs whose scores define the thresholds
SELECTION_SAMPLE_ROWS = 50_000  # pairs whose tastes or expected ratings define a selection
TASTE_HELD_OUT = 0.1  # share of the history that tastes are not fitted to: how near to them rated pairs really are
MIN_PROBABILITY = 0.01  # of the pair farthest from a user's taste, relative to the nearest
DEMO_DRIFTS = (0.0, 0.0, 0.5)
"""Drifts of the demo's three weeks, in stars: in the third week ratings are half a star higher, which must be detected.

The batches are simulated, and the demo says so: all real ratings stay in ``ratings``, any folder can be shown, and the
drift is known. Slices of real ratings would have drifts of unknown size.
"""
BATCH_FILE = re.compile(r"batch_w([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class SimulatedBatch:
    """A batch that was written, the drift that was requested, and a sentence for each earlier batch left out."""

    batch_id: str
    path: Path
    rows: int
    mean: float
    baseline_mean: float
    drift: float
    left_out: tuple[str, ...] = ()


RatingModel = Callable[[NDArray[np.int32], NDArray[np.int32]], tuple[NDArray[np.floating], NDArray[np.floating]]]
"""Returns expected ratings, in stars, and their standard deviations for (user, movie) pairs, (pairs,) each."""


def simulate_into(
    folder: Path,
    *,
    drift: float = 0.0,
    rows: int | None = None,
    seed: int | None = None,
    rating_model: RatingModel | None = None,
) -> SimulatedBatch:
    """Write the next weekly batch into ``folder/batches``, based on the ratings and batches in ``folder``.

    Args:
        folder: Holds ``movies.*``, ``ratings.*`` and optionally ``batches/``.
        drift: Stars by which the batch's mean is above that of ``ratings.*``.
        rows: Ratings in it; by default 4.3 % of ``ratings.*``, at least 1,000.
        seed: By default the number of the batch, so that the same folder gives the same next batch.
        rating_model: Expected ratings of pairs; by default from users' and movies' biases.

    Raises:
        SampleError: No movies or ratings in the folder, or a drift that the rating scale does not allow.
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
        rating_model=rating_model,
    )
    path = write_batch(folder, batch_id, batch)
    mean, baseline_mean = (float(frame["rating"].mean()) for frame in (batch, history.ratings))
    return SimulatedBatch(batch_id, path, len(batch), mean, baseline_mean, drift, history.left_out)


def weekly_rows(ratings: int) -> int:
    """Return the number of ratings in a weekly batch for a set of that size."""
    return max(MIN_ROWS, round(WEEKLY_SHARE * ratings))


def next_batch_id(existing: Iterable[str]) -> str:
    """Return ``batch_w<n>`` with n one above the highest in ``existing``; names of another form are ignored."""
    numbers = [int(match[1]) for name in existing if (match := BATCH_FILE.fullmatch(name))]
    return f"batch_w{max(numbers, default=0) + 1}"


def write_batch(folder: Path, batch_id: str, batch: pd.DataFrame) -> Path:
    """Write ``batches/<batch_id>.csv`` atomically."""
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
    rating_model: RatingModel | None = None,
) -> pd.DataFrame:
    """Draw ``userId, movieId, rating, timestamp`` of the next week, in order of time.

    Args:
        ratings: The history that the batch resembles, with those four columns.
        movie_ids: The catalogue; a movie without ratings has a third of the weight of one rated once.
        earlier: Batches since; their pairs are not drawn again and the week follows them; nothing is fitted to them.
        rows: How many ratings.
        drift: Stars by which the expected mean is above the history's; 0 keeps the history's distribution.
        seed: The same seed and history give the same batch.
        rating_model: Expected ratings of pairs. With it the batch is as predictable as the model says, and its pairs
            are selected by expected rating, too, as in the history. By default users' and movies' biases, which make
            ratings that a good model predicts less well than real ones.

    Raises:
        SampleError: No ratings or movies, too few unrated pairs, or a mean outside of the rating scale.
    """
    if ratings.empty or not len(movie_ids):
        raise SampleError("The next batch cannot be simulated: there are no ratings or no movies to go by.")
    if rows < 1:
        raise SampleError(f"The next batch cannot have {count(rows, 'row')}.")
    rng = np.random.default_rng(seed)
    raters = _Raters.fit(ratings, movie_ids).with_taste(rng, ratings)
    if rating_model is not None:
        raters = raters.with_rating_model(rng, rating_model, ratings)
    past = ratings if earlier is None else pd.concat([ratings, earlier], ignore_index=True)
    rated = np.unique(pair_keys(past["userId"].to_numpy(), past["movieId"].to_numpy()))
    users, movies = _draw_unrated_pairs(rng, raters, rated, rows)
    scale = _RatingScale.fit(rng, raters, rated, ratings["rating"].to_numpy()).shifted(drift)
    batch = pd.DataFrame(
        {
            "userId": raters.user_ids[users].astype(np.int32),
            "movieId": raters.movie_ids[movies].astype(np.int32),
            "rating": scale.to_ratings(raters.draw_scores(rng, users, movies)),
            "timestamp": _draw_session_times(rng, users, int(past["timestamp"].max())),
        }
    )
    return batch.sort_values(["timestamp", "userId", "movieId"], kind="stable", ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Raters:
    """Activity of users, popularity of movies, and latent scores s(u, i) = b_u + b_i, or those of a rating model."""

    user_ids: NDArray[np.int64]  # (users,)
    movie_ids: NDArray[np.int64]  # (movies,)
    user_weight: NDArray[np.float64]
    movie_weight: NDArray[np.float64]
    user_bias: NDArray[np.float64]
    movie_bias: NDArray[np.float64]
    noise: float  # std of the residuals, in stars
    taste: Taste | None = None
    taste_selection: "_Selection | None" = None
    rating_model: RatingModel | None = None
    selection: "_Selection | None" = None

    @classmethod
    def fit(cls, ratings: pd.DataFrame, movie_ids: NDArray[np.int32]) -> "_Raters":
        """Count ratings and fit damped biases, movies first."""
        known = ratings[ratings["movieId"].isin(movie_ids)]
        if known.empty:
            raise SampleError("The next batch cannot be simulated: no rating is of a movie in the catalogue.")
        catalogue = np.unique(movie_ids).astype(np.int64)
        user_ids, users = np.unique(known["userId"].to_numpy(np.int64), return_inverse=True)
        movies = np.searchsorted(catalogue, known["movieId"].to_numpy(np.int64))
        centred = known["rating"].to_numpy(np.float64)
        centred = centred - centred.mean()
        movie_bias = _damped_means(movies, centred, len(catalogue))
        user_bias = _damped_means(users, centred - movie_bias[movies], len(user_ids))
        residuals = centred - movie_bias[movies] - user_bias[users]
        user_weight = np.bincount(users).astype(np.float64)
        movie_weight = (np.bincount(movies, minlength=len(catalogue)) + 0.5).astype(np.float64)
        return cls(user_ids, catalogue, user_weight, movie_weight, user_bias, movie_bias, float(residuals.std()))

    def draw(self, rng: np.random.Generator, pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw positions of users and movies, each in proportion to its ratings so far, about ``pairs`` by taste.

        With a rating model, these are thinned by ``selection``, so fewer are returned.
        """
        proposals = pairs if self.taste_selection is None else round(pairs / self.taste_selection.acceptance)
        users = _draw_weighted(rng, self.user_weight, proposals)
        movies = _draw_weighted(rng, self.movie_weight, proposals)
        if self.taste is not None and self.taste_selection is not None:
            selected = self.taste_selection.draw(rng, self.taste.excess(users, movies))
            users, movies = users[selected], movies[selected]
        if self.rating_model is None or self.selection is None:
            return users, movies
        selected = self.selection.draw(rng, self._expected(self.rating_model, users, movies)[0])
        return users[selected], movies[selected]

    def with_taste(self, rng: np.random.Generator, history: pd.DataFrame) -> "_Raters":
        """Return the same raters, who choose movies as near to their taste as in the history."""
        known = history[history["movieId"].isin(self.movie_ids)]
        users = np.searchsorted(self.user_ids, known["userId"].to_numpy(np.int64))
        movies = np.searchsorted(self.movie_ids, known["movieId"].to_numpy(np.int64))
        held_out = rng.random(len(known)) < TASTE_HELD_OUT
        if held_out.all() or not held_out.any():  # a handful of ratings
            return self
        fitted = users[~held_out], movies[~held_out]
        taste = Taste.fit(*fitted, (len(self.user_ids), len(self.movie_ids)), int(rng.integers(2**31)))
        random = self.draw(rng, SELECTION_SAMPLE_ROWS)
        new = ~_is_among(np.unique(self.keys(*fitted)), self.keys(*random))
        if not new.any():
            return self
        of_rated = taste.excess(users[held_out], movies[held_out])
        selection = _Selection.fit(of_rated, taste.excess(random[0][new], random[1][new]))
        return replace(self, taste=taste, taste_selection=selection)

    def with_rating_model(self, rng: np.random.Generator, model: RatingModel, history: pd.DataFrame) -> "_Raters":
        """Return the same raters with scores from a model, and pairs selected by them as in the history."""
        sample = history.iloc[np.sort(rng.permutation(len(history))[:SELECTION_SAMPLE_ROWS])]
        of_rated = model(sample["userId"].to_numpy(np.int32), sample["movieId"].to_numpy(np.int32))[0]
        of_random = self._expected(model, *self.draw(rng, SELECTION_SAMPLE_ROWS))[0]
        return replace(self, rating_model=model, selection=_Selection.fit(of_rated, of_random))

    def _expected(
        self, model: RatingModel, users: NDArray[np.int64], movies: NDArray[np.int64]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        return model(self.user_ids[users].astype(np.int32), self.movie_ids[movies].astype(np.int32))

    def keys(self, users: NDArray[np.int64], movies: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the keys of the pairs at these positions."""
        return pair_keys(self.user_ids[users], self.movie_ids[movies])

    def draw_scores(
        self,
        rng: np.random.Generator,
        users: NDArray[np.int64],
        movies: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Draw the latent score of each pair, in stars up to a constant: its expectation plus noise, (pairs,)."""
        if self.rating_model is not None:
            expected, std = self._expected(self.rating_model, users, movies)
            return np.asarray(expected + std * rng.standard_normal(len(users)), np.float64)
        return self.user_bias[users] + self.movie_bias[movies] + self.noise * rng.standard_normal(len(users))


@dataclass(frozen=True, slots=True)
class _Selection:
    """The probability that a pair is rated, by a score of it: excess of taste over chance, or expected rating."""

    edges: NDArray[np.float64]  # (k - 1,)
    probability: NDArray[np.float64]  # (k,), from MIN_PROBABILITY to 1
    acceptance: float  # share of the random pairs that is selected

    @classmethod
    def fit(cls, of_rated: NDArray[np.floating], of_random: NDArray[np.floating], bins: int = 20) -> "_Selection":
        """Compare the scores of rated pairs with those of pairs drawn at random, bin by bin."""
        edges = np.unique(np.quantile(of_rated, np.arange(1, bins) / bins))
        rated_share, random_share = (
            np.bincount(np.searchsorted(edges, scores), minlength=len(edges) + 1) / len(scores)
            for scores in (of_rated, of_random)
        )
        ratio = rated_share / np.maximum(random_share, 1e-3)
        probability = np.maximum(ratio / ratio.max(), MIN_PROBABILITY)
        return cls(edges, probability, float(probability @ random_share))

    def draw(self, rng: np.random.Generator, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Draw which of the pairs are rated, (pairs,)."""
        bins = np.searchsorted(self.edges, scores)
        selected: NDArray[np.bool_] = rng.random(len(scores)) < self.probability[bins]
        return selected


@dataclass(frozen=True, slots=True)
class _RatingScale:
    """Thresholds between ratings, as in an ordinal model: a score between two of them is the rating between them."""

    values: NDArray[np.float64]  # the ratings that occur in the history, ascending, (k,)
    thresholds: NDArray[np.float64]  # (k - 1,)
    sample: NDArray[np.float64]  # scores of many pairs, drawn as those of a batch

    @classmethod
    def fit(
        cls,
        rng: np.random.Generator,
        raters: _Raters,
        rated: NDArray[np.int64],
        history: NDArray[np.floating],
    ) -> "_RatingScale":
        """Set the thresholds so that ratings of unrated pairs are distributed as in the history."""
        users, movies = raters.draw(rng, THRESHOLD_SAMPLE_ROWS)
        unrated = ~_is_among(rated, raters.keys(users, movies))
        scores = raters.draw_scores(rng, users[unrated], movies[unrated])
        values, counts = np.unique(history.astype(np.float64), return_counts=True)
        return cls(values, np.quantile(scores, np.cumsum(counts)[:-1] / counts.sum()), scores)

    def to_ratings(self, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the rating of each score, in stars."""
        return self.values[np.searchsorted(self.thresholds, scores)].astype(np.float32)

    def shifted(self, drift: float) -> "_RatingScale":
        """Return the thresholds shifted, found by bisection, so that the mean rating is ``drift`` stars higher.

        Raises:
            SampleError: That mean is outside of the scale.
        """
        if drift == 0:
            return self
        mean = self.to_ratings(self.sample).mean(dtype=np.float64) + drift
        if not self.values[0] < mean < self.values[-1]:
            raise SampleError(
                f"A drift of {drift:+g} asks for a mean of {mean:.2f} stars, and the ratings lie between "
                f"{self.values[0]:g} and {self.values[-1]:g}.",
            )
        low, high = -20.0, 20.0
        for _ in range(40):
            shift = (low + high) / 2
            reached = replace(self, thresholds=self.thresholds - shift).to_ratings(self.sample)
            low, high = (shift, high) if reached.mean(dtype=np.float64) < mean else (low, shift)
        return replace(self, thresholds=self.thresholds - low)


def _damped_means(groups: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the mean of each group's values, shrunk to 0 by ``DAMPING`` pseudo-counts, (size,)."""
    sums = np.bincount(groups, values, minlength=size)
    return np.asarray(sums / (np.bincount(groups, minlength=size) + DAMPING), dtype=np.float64)


def _draw_weighted(rng: np.random.Generator, weights: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Draw positions in proportion to ``weights``, (size,)."""
    cdf = np.cumsum(weights)
    drawn: NDArray[np.int64] = np.searchsorted(cdf, rng.random(size) * cdf[-1], side="right")
    return np.minimum(drawn, len(cdf) - 1)


def _is_among(ascending: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which keys are among the ascending ones, (keys,)."""
    slots = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[slots] == keys
    return found


def _draw_unrated_pairs(
    rng: np.random.Generator,
    raters: _Raters,
    rated: NDArray[np.int64],
    rows: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw different (user, movie) pairs that are not ``rated``, as positions in ``raters``, (rows,) each."""
    if len(raters.user_ids) * len(raters.movie_ids) - len(rated) < 2 * rows:
        raise SampleError(f"There are too few unrated pairs of users and movies left for a batch of {rows:,} rows.")
    found = np.empty((0, 2), dtype=np.int64)
    while len(found) < rows:
        users, movies = raters.draw(rng, 2 * (rows - len(found)) + 16)
        unrated = ~_is_among(rated, raters.keys(users, movies))
        found = np.concatenate([found, np.column_stack([users[unrated], movies[unrated]])])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
    return found[:rows, 0], found[:rows, 1]


def _draw_session_times(rng: np.random.Generator, users: NDArray[np.int64], newest: int) -> NDArray[np.int64]:
    """Draw Unix seconds in the week after ``newest``: each user has one session of at most an hour, (rows,)."""
    _, session = np.unique(users, return_inverse=True)
    start = newest + 1 + rng.integers(0, WEEK_S - 3_600, session.max() + 1)
    times: NDArray[np.int64] = start[session] + rng.integers(0, 3_600, len(users))
    return times
