"""What the drift statistics do when nothing has drifted: whole users resampled from the baseline at the batch's size.

Ratings of one user hang together, so forty users with fifty ratings each say far less than two thousand ratings from
two thousand users. Here: the resampling, and the percentile beyond which a score is unusual.
Not here: the scores (``statistics``, ``verdict``), and what follows from an unusual one (``retraining``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.drift.histogram import STARS
from cinematch_assets.drift.statistics import NothingToCompareError

PERCENTILE = 99.0
RESAMPLES = 1_000
SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class NullDistribution:
    """The scores that one batch in a hundred exceeds although nothing has changed, by ``feature_name``."""

    bounds: Mapping[str, float]
    percentile: float
    resamples: int
    batch_users: int
    batch_rows: int

    def __or__(self, other: "NullDistribution") -> "NullDistribution":
        """Both spreads of one batch as one."""
        return NullDistribution(
            {**self.bounds, **other.bounds}, self.percentile, self.resamples, self.batch_users, self.batch_rows
        )

    def as_metadata(self) -> dict[str, Any]:
        """For the asset's page and the decision's row."""
        return {
            "percentile": self.percentile,
            "resamples": self.resamples,
            "batch_users": self.batch_users,
            "batch_rows": self.batch_rows,
            "bounds": dict(self.bounds),
        }


@dataclass(frozen=True, slots=True, eq=False)
class UserErrors:
    """The champion's errors e = prediction - rating on its test split, summed up per user; each array is (n_users,)."""

    rows: NDArray[np.int64]
    absolute: NDArray[np.float64]  # Σ|e|
    squared: NDArray[np.float64]  # Σe²
    fourth: NDArray[np.float64]  # Σe⁴: how much the squared errors of one user differ among themselves

    @classmethod
    def from_errors(cls, user_ids: NDArray[np.integer], errors: NDArray[np.floating]) -> "UserErrors":
        """From one error a row, in any order."""
        _, user = np.unique(user_ids, return_inverse=True)
        exact = np.asarray(errors, dtype=np.float64)
        sums = [np.bincount(user, weights=np.abs(exact) ** power).astype(np.float64) for power in (1, 2, 4)]
        return cls(np.bincount(user).astype(np.int64), *sums)


def rating_null_distribution(
    baseline: NDArray[np.integer],
    batch_user_rows: NDArray[np.integer],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> NullDistribution:
    """The 99th percentiles of ``rating_mean``, ``rating_std`` and ``rating_distribution_ks`` without drift.

    Args:
        baseline: ten counts a user, (n_users, 10), 0.5 to 5.0 stars; of the whole baseline or of users drawn from it.
        batch_user_rows: ratings of each of the batch's users, (n_batch_users,); few users with many ratings spread
            more.
        resamples: imagined batches.
        seed: of the resampling; equal inputs give equal bounds.

    See ``_resampled_means`` for how a batch is imagined.

    Raises:
        NothingToCompareError: the baseline or the batch has no ratings.
    """
    rows = baseline.sum(axis=1)
    _both_have_ratings(rows, batch_user_rows)
    shares = _per_row(baseline, rows)
    within = np.diag(np.average(shares, axis=0, weights=rows)) - (shares * rows[:, None]).T @ shares / rows.sum()
    old, new = _resampled_means(
        rows=rows,
        sums=baseline.astype(np.float64),
        within=within,
        batch=batch_user_rows,
        resamples=resamples,
        seed=seed,
    )
    return _spread(
        {
            "rating_mean": np.abs(_excess(old @ STARS, new @ STARS)),
            "rating_std": np.abs(_excess(_std(old), _std(new))),
            "rating_distribution_ks": np.abs(np.cumsum(new - old, axis=1)).max(axis=1),
        },
        batch_user_rows,
    )


def model_null_distribution(
    test: UserErrors, batch_user_rows: NDArray[np.integer], *, resamples: int = RESAMPLES, seed: int = SEED
) -> NullDistribution:
    """The 99th percentiles of ``model_rmse`` and ``model_mae`` when the batch is as hard as the test split.

    Arguments and errors as in ``rating_null_distribution``; the baseline is the champion's errors on its test split.
    """
    _both_have_ratings(test.rows, batch_user_rows)
    sums = np.column_stack([test.squared, test.absolute])
    squares = np.array([test.fourth.sum(), test.squared.sum()])
    between = np.average(_per_row(sums, test.rows) ** 2, axis=0, weights=test.rows)
    within = np.diag(np.maximum(squares / test.rows.sum() - between, 0.0))
    old, new = _resampled_means(
        rows=test.rows, sums=sums, within=within, batch=batch_user_rows, resamples=resamples, seed=seed
    )
    rmse = np.sqrt(np.maximum(new[:, 0], 0.0))
    return _spread(
        {"model_rmse": _excess(np.sqrt(old[0]), rmse), "model_mae": _excess(old[1], new[:, 1])}, batch_user_rows
    )


def _both_have_ratings(baseline_rows: NDArray[np.integer], batch_rows: NDArray[np.integer]) -> None:
    if baseline_rows.sum() == 0 or batch_rows.sum() == 0:
        raise NothingToCompareError("the null spread needs ratings in both the baseline and the batch")


def _resampled_means(
    *,
    rows: NDArray[np.integer],
    sums: NDArray[np.float64],
    within: NDArray[np.float64],
    batch: NDArray[np.integer],
    resamples: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per-row means of the baseline, (k,), and of ``resamples`` batches imagined without drift, (resamples, k).

    Each of the batch's users keeps his number of ratings m and gets the taste of a baseline user, drawn with a chance
    proportional to that user's ratings n, so that the imagined batches centre on the baseline whoever is active. What
    m ratings drawn from his n vary beyond his own mean, m (1 - m/n) times the variance within users, is added as normal
    noise, for all users at once. The baseline is taken as it is: its own sampling error is left out, which matters only
    for a batch of new users that are as many as the baseline's.
    """
    total = int(rows.sum())
    random = np.random.default_rng(seed)
    own_means = _per_row(sums, rows)
    owner = np.repeat(np.arange(len(rows), dtype=np.int32), rows)  # the user behind each row of the baseline
    size = batch.astype(np.float64)
    new = np.empty((resamples, sums.shape[1]))
    unseen = np.empty(resamples)
    for draw in range(resamples):
        user = owner[random.integers(0, total, len(batch))]
        new[draw] = size @ own_means[user]
        unseen[draw] = size @ np.maximum(1.0 - size / rows[user], 0.0)
    new += _normal(random, within, resamples) * np.sqrt(unseen)[:, None]
    return sums.sum(axis=0) / total, new / size.sum()


def _per_row(sums: NDArray[Any], rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Each user's sums by his number of rows; zeros for a user without any, who is never drawn."""
    means: NDArray[np.float64] = sums / np.maximum(rows, 1)[:, None]
    return means


def _normal(random: np.random.Generator, covariance: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Centred normal vectors, (draws, k); the covariance may be singular, as that of shares that add up to one is."""
    variances, axes = np.linalg.eigh(covariance)
    scaled = axes * np.sqrt(np.maximum(variances, 0.0))
    vectors: NDArray[np.float64] = random.standard_normal((draws, len(covariance))) @ scaled.T
    return vectors


def _excess(old: Any, new: NDArray[np.float64]) -> NDArray[np.float64]:
    """``new / old - 1``, not finite where the old figure is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = new / old - 1
    return ratio


def _std(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation of ratings with these shares of the ten values, along the last axis."""
    deviation: NDArray[np.float64] = np.sqrt(np.maximum(shares @ STARS**2 - (shares @ STARS) ** 2, 0.0))
    return deviation


def _spread(scores: Mapping[str, NDArray[np.float64]], batch: NDArray[np.integer]) -> NullDistribution:
    """Percentiles of the scores; an undefined score (a baseline without any spread) has no bound, and no alert."""
    bounds = {
        name: float(np.percentile(values, PERCENTILE, method="higher"))
        for name, values in scores.items()
        if np.isfinite(values).all()
    }
    return NullDistribution(bounds, PERCENTILE, len(next(iter(scores.values()))), len(batch), int(batch.sum()))
